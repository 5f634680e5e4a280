// What calls of `message` were decided on a moment ago: the channel asks once more about the text and the files that such a call
// sends, and nobody is asked twice. A ticket is for one recipient, and for seconds; whatever it does not fit is asked about.

/** How long a call may take from its decision to the channel's question, milliseconds. */
const MS = 30_000;
/** Tickets of each kind; the oldest is forgotten first. */
const MOST = 1_024;

/** Tickets of one gateway. */
export class Tickets {
  #texts = [];
  #files = [];

  /** Notes that `route`, as calls of `message` are told, was allowed with these files. */
  give(session, route, files) {
    const until = performance.now() + MS;
    const [to, ...others] = route?.to ?? [];
    // Which of several recipients the channel will name cannot be known.
    const place = { ...route, session, until, to: others.length === 0 ? to : undefined };
    if (place.to !== undefined && route.text !== "") push(this.#texts, place);
    for (const file of files) push(this.#files, { ...place, file });
  }

  /** Whether this text to this recipient was decided on; once. `at`: session, channel, account, thread and recipient. */
  spend(at, text) {
    const found = this.#texts.findIndex((ticket) => ticket.text === text && fits(ticket, { to: "", channel: "", account: "", thread: "", ...known(at) }));
    if (found === -1) return false;
    this.#texts.splice(found, 1);
    return true;
  }

  /** Whether this file was decided on; for this recipient, where the hook that asks knows one. More than one hook asks. */
  sent(at, file) {
    return this.#files.some((ticket) => ticket.file === file && fits(ticket, known(at)));
  }
}

const known = (at) => Object.fromEntries(Object.entries(at).filter(([, value]) => value !== undefined && value !== null));

/** What a call did not name is the channel's choice; what it named is binding. */
function fits(ticket, at) {
  if (ticket.session !== at.session || performance.now() > ticket.until) return false;
  return ["to", "channel", "account", "thread"].every(
    (name) => ticket[name] === undefined || at[name] === undefined || bare(ticket[name], at.channel) === bare(at[name], at.channel),
  );
}

const plain = (name) => String(name).trim().toLowerCase();

/** A name without its channel's before it, which OpenClaw adds to recipients. */
function bare(name, channel) {
  const prefix = `${plain(channel ?? "")}:`;
  return prefix !== ":" && plain(name).startsWith(prefix) ? plain(name).slice(prefix.length) : plain(name);
}

function push(list, ticket) {
  const now = performance.now();
  const living = list.filter((one) => one.until >= now).slice(-MOST + 1);
  list.splice(0, list.length, ...living, ticket);
}
