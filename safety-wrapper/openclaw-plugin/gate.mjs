// One tool call: asked once, decided on until its result came, allowed once and only as it was judged.

import { asked, permitOf, runnerCommand } from "./calls.mjs";
import { DaemonError, SOON } from "./client.mjs";
import { canonical, nameOf, sessionOf } from "./names.mjs";
import { filesIn } from "./sends.mjs";
import { Tickets } from "./tickets.mjs";

/** Calls that are remembered; the oldest is forgotten first. */
const CALLS = 4_096;
const TWICE = "Not allowed: another call with the same id is under way; give each call an id of its own.";

/** Decisions on calls, one gate for each gateway. */
export class Gate {
  #client;
  #settings;
  /** By run and call. */
  #known = new Map();
  /** The call that waits for a person, by what is asked. */
  #waiting = new Map();
  /** What calls of `message` were allowed to send. */
  tickets = new Tickets();
  /** Calls that were put before the daemon, by session. */
  #asked = new Map();
  /** Refusals in a row, by run. */
  #refused = new Map();

  constructor(client, settings) {
    this.#client = client;
    this.#settings = settings;
  }

  /**
   * Decides on a call: `{params}` to run it with exactly these, or `{reason}` to refuse it. Never throws.
   *
   * The same call again, by another hook of the same step, gets the same decision. The id alone makes no call the same: models
   * choose it, and some begin anew with each answer. Another call under it waits for the first one's result, and what comes
   * under it after that result is put before the daemon, which knows whether it is the same.
   */
  async decide(event, ctx) {
    const key = keyOf(event, ctx);
    const known = this.#known.get(key);
    const content = contentOf(event);
    if (known !== undefined && known.call !== undefined && !known.over) {
      if (known.content === content && !known.begun) return known.decision;
      // Which of the two a result belongs to could not be said any more.
      known.mixed = true;
      const decision = { reason: TWICE };
      this.#count(event, ctx, true);
      return decision;
    }
    const entry = entryOf(event, ctx, content);
    const before = this.asked(entry.session, entry.call);
    entry.again = before?.over === true && (before.kind === "runtime" || before.again);
    entry.decision = this.#ask(event, ctx, entry).catch((error) => {
      entry.kind = "refused";
      const known = error instanceof DaemonError;
      return { reason: `Not allowed: ${known ? error.message : `${error?.message ?? "the call could not be judged"}`}` };
    });
    this.#keep(key, entry);
    const decision = await entry.decision;
    this.#count(event, ctx, decision.reason !== undefined && entry.kind !== "done");
    return decision;
  }

  /** The decision on a call as it is about to run: once, and neither as another tool nor with other parameters than were decided on. */
  async confirm(event, ctx) {
    const key = keyOf(event, ctx);
    const before = this.#known.get(key);
    const asked = before === undefined || before.call === undefined || before.over;
    const decision = await (asked ? this.decide(event, ctx) : before.decision);
    if (decision.reason !== undefined) return decision;
    const entry = this.#known.get(key);
    if (entry.tool !== toolOf(event) || canonical(decision.params) !== canonical(event.params)) {
      return { reason: "Not allowed: the call was changed after it was decided on." };
    }
    if (entry.begun) {
      entry.mixed = true;
      return { reason: TWICE };
    }
    entry.begun = true;
    return decision;
  }

  /** Puts on record what the host refused by itself. */
  async unrun(event, ctx) {
    const decision = { reason: "Not allowed: it was refused before anybody was asked." };
    const entry = { ...entryOf(event, ctx), decision: Promise.resolve(decision), kind: "refused" };
    if (entry.call === undefined) throw new Error("the call has no id by which it could be known again");
    await this.#record(event, entry, {});
    this.#keep(keyOf(event, ctx), entry);
    this.#count(event, ctx, true);
  }

  /** What is known of the call whose result this is. */
  of(event, ctx) {
    return this.#known.get(keyOf(event, ctx));
  }

  /** What is known of a call of this session that was put before the daemon, whatever run it was in. */
  asked(session, call) {
    return this.#asked.get(`${session}\n${call}`);
  }

  /** Whether a run has been refused so often in a row that it only goes round. */
  goesRound(ctx) {
    return (this.#refused.get(ctx?.runId) ?? 0) >= this.#settings.refusalsInARow;
  }

  async #ask(event, ctx, entry) {
    if (entry.call === undefined) throw new Error("the call has no id by which it could be known again");
    const { tool, args, params, ours, sends } = await this.#told(event, entry);
    const same = canonical([entry.session, tool, args]);
    const answer = await this.#client.post(
      "/v1/hooks/before-tool-call",
      {
        session: entry.session,
        call: entry.call,
        tool,
        args,
        cwd: this.#settings.workspace,
        wait_ms: this.#settings.waitMs,
        same_as: this.#waiting.get(same) === entry.call ? undefined : this.#waiting.get(same),
        own: ours === true,
      },
      { within: this.#settings.waitMs + SOON, signal: ctx?.abortSignal },
    );
    if (answer.decision === "pending") {
      if (!this.#waiting.has(same)) remember(this.#waiting, same, entry.call);
      entry.kind = "pending";
      return { reason: pendingWords(answer) };
    }
    this.#waiting.delete(same);
    // An action that sends nothing names nobody who may get its files.
    if (toolOf(event) === "message" && answer.decision === "allow" && sends !== undefined) {
      this.tickets.give(entry.session, sends, filesIn(params));
    }
    if (ours === true && (answer.decision === "allow" || answer.decision === "done")) {
      entry.kind = "own";
      return { params: permitOf(answer.permit) };
    }
    return this.#settle(answer, tool, params, entry);
  }

  /** What is asked. A call that cannot be told is put on record as such: without a decision its result would not leave. */
  async #told(event, entry) {
    try {
      return asked(event, this.#settings);
    } catch (error) {
      await this.#record(event, entry, { refused: String(error?.message) });
      throw error;
    }
  }

  #record(event, { session, call }, args) {
    const body = { session, call, tool: nameOf(event.toolName, "tool"), args, wait_ms: 0, unrun: true };
    return this.#client.post("/v1/hooks/before-tool-call", body);
  }

  #settle(answer, tool, params, entry) {
    switch (answer.decision) {
      case "allow":
        // A command never runs in this process: the daemon runs its own copy, holds it, and puts secrets in there.
        entry.kind = tool === "exec" ? "runner" : "runtime";
        return { params: tool === "exec" ? runnerCommand(answer.permit, this.#settings) : params };
      case "done":
        if (tool === "exec") {
          entry.kind = "runner";
          return { params: runnerCommand(answer.permit, this.#settings) };
        }
        // The daemon carried it out; the runtime must not do it once more. The result is put in by the middleware.
        entry.kind = "done";
        entry.output = String(answer.result?.output ?? "");
        return { reason: doneWords(answer.result, entry.again) };
      case "deny":
        entry.kind = "refused";
        return { reason: String(answer.message ?? "Not allowed.") };
      default:
        throw new DaemonError("unreadable", "the Wardkeep daemon's answer is not understood");
    }
  }

  #keep(key, entry) {
    remember(this.#known, key, entry);
    remember(this.#asked, `${entry.session}\n${entry.call}`, entry);
  }

  #count(event, ctx, refused) {
    const run = ctx?.runId ?? event?.runId;
    if (run === undefined) return;
    if (refused) remember(this.#refused, run, (this.#refused.get(run) ?? 0) + 1);
    else this.#refused.delete(run);
  }
}

/** What is remembered of a call. `again`: it ran under its id before; `begun`: it runs; `over`: its result came; `mixed`: two came under its id. */
const entryOf = (event, ctx, content) => ({
  session: sessionOf(ctx),
  call: callOf(event, ctx),
  tool: toolOf(event),
  content,
  decision: undefined,
  kind: undefined,
  again: false,
  begun: false,
  over: false,
  mixed: false,
});

const toolOf = (event) => String(event?.toolName ?? "").toLowerCase();

/** What makes a call the same as another one. */
const contentOf = (event) => canonical([toolOf(event), event?.toolKind, event?.params ?? {}]);

/** One call of one run; ids of calls are the model's and may come back in another run. */
const keyOf = (event, ctx) => `${ctx?.runId ?? event?.runId ?? ctx?.sessionKey ?? ""}\n${callOf(event, ctx)}`;

/** The model's own id: the gateway compares results with it. */
function callOf(event, ctx) {
  const id = event?.toolCallId ?? ctx?.toolCallId;
  return typeof id === "string" && id !== "" ? nameOf(id) : undefined;
}

const pendingWords = (answer) =>
  `${answer.message ?? "Waiting for a person."} Nothing was done yet. Tell the user; when they say that it was approved, make ` +
  "exactly the same call again.";

const doneWords = (result, again) =>
  `${result?.status === "ok" ? "Done" : "It failed"}, ${again ? "when it was called before under this id" : "carried out by this server after a person approved it"}` +
  `. It gave:\n${String(result?.output ?? "")}`;

function remember(map, key, value) {
  map.delete(key);
  map.set(key, value);
  if (map.size > CALLS) map.delete(map.keys().next().value);
}
