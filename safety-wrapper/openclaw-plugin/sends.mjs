// OpenClaw's tool `message`: some sixty actions under one name. To send is told as a message, to recipients that a grant may
// name; every other action is told as it came, since a grant to write to somebody is none to do anything else there.

/** Names under which a message has files; what stands below one of them is one, too. */
const FILE = /media|attach|file|path|buffer|image|photo|video|audio|document|sticker/i;
/** What changes how something is sent and not to whom, by the pinned release. Any other field may be another address. */
const HOW = new Set([
  "text", "caption", "effectid", "effect", "voicetext", "asvoice", "voiceprovider", "voiceid", "silent", "quotetext", "gifplayback",
  "forcedocument", "asdocument", "besteffort", "delivery", "pin", "presentation", "interactive", "replyto", "dryrun", "toplevel",
  "clawhub", "timeoutms", "idempotencykey", "contenttype", "mimetype",
]);
/** What says where it goes. */
const WHERE = new Set(["action", "channel", "target", "to", "targets", "message", "threadid", "accountid"]);

/** What is asked about a call of `message`, and of one that sends what may leave by it (`sends`). Throws where it cannot be told. */
export function told(params) {
  const { action } = params;
  if (action !== undefined && typeof action !== "string") throw new Error("the action of a message is a text");
  const plain = action === undefined || action === "send";
  // Nobody sees what is in a file before it is sent, so a grant to write to somebody is none to send files.
  if (filesIn(params).length > 0) return { tool: "message_files", args: params, sends: plain ? routed(params) : undefined };
  if (!plain) return { tool: "message", args: params };
  const route = routed(params);
  const { action: _, channel: __, target: ___, to: ____, targets: _____, message: text, ...more } = params;
  // Everything that a recipient would get stands in the body, so that nobody approves half of a message.
  const body = [text ?? "", Object.keys(more).length === 0 ? [] : JSON.stringify(more)].flat().join("\n").trim();
  return { tool: "message", args: { channel: route.channel ?? "message", to: recipients(route), body }, sends: route };
}

/** Every file or address of one that stands in a message, under any name that OpenClaw has for it. */
export function filesIn(value, under = "") {
  if (typeof value === "string") return FILE.test(under) && value !== "" ? [value] : [];
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, item]) => filesIn(item, Array.isArray(value) || FILE.test(under) ? under : key));
}

/** Where a message goes, and its text. Throws where more than these fields could say so. */
function routed(params) {
  const given = new Map();
  for (const [name, value] of Object.entries(params)) {
    if (isEmpty(value)) continue;
    // OpenClaw reads `thread_id` as `threadId`.
    const plain = name.replaceAll("_", "").toLowerCase();
    if (given.has(plain)) throw new Error(`say ${name} once`);
    if (!WHERE.has(plain) && !HOW.has(plain) && !FILE.test(name)) {
      throw new Error(`it could go elsewhere by ${name}; name the recipient in target alone and leave ${name} out`);
    }
    given.set(plain, value);
  }
  const text = (name) => textOf(given.get(name), name);
  const listed = given.get("targets") ?? [];
  const to = [text("target"), text("to"), ...(Array.isArray(listed) ? listed : [listed]).map((one) => textOf(one, "targets"))];
  const thread = given.get("threadid");
  return {
    channel: text("channel"),
    account: text("accountid"),
    thread: typeof thread === "number" ? String(thread) : textOf(thread, "threadId"),
    to: to.filter((one) => one !== undefined),
    text: text("message") ?? "",
  };
}

/** Recipients as a grant names them. The same name means another one for another account, and a thread may stand anywhere. */
function recipients({ account, thread, to }) {
  const all = thread === undefined ? to : [...to, `thread:${thread}`];
  return account === undefined ? all : all.map((one) => `${account}/${one}`);
}

function textOf(value, name) {
  if (value === undefined || typeof value === "string") return value;
  throw new Error(`${name} of a message is a text`);
}

/** What models put into fields that they do not use. */
const isEmpty = (value) =>
  value === undefined || value === null || value === "" || value === false ||
  (typeof value === "object" && Object.keys(value).length === 0);
