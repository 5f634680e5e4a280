// What a tool gave, before the model sees it and before it is stored: reported to the daemon and cleaned by it. Whatever goes
// wrong here throws, and the host then tells the model that the output is not available.

import { sessionOf } from "./names.mjs";

/** Calls whose results the daemon is told. */
const REPORTED = new Set(["runtime", "runner", "own"]);

/** The middleware for `api.registerAgentToolResultMiddleware`. */
export function cleaner({ client, gate }) {
  return async (event, ctx) => {
    const call = { toolName: event.toolName, toolCallId: event.toolCallId, params: event.args };
    let entry = gate.of(call, ctx);
    if (entry === undefined && event.isError === true) {
      // Nothing ran: no such tool, or arguments that do not fit. That is put on record, so that the result has a decision.
      await gate.unrun(call, ctx);
      entry = gate.of(call, ctx);
    }
    await entry?.decision;
    if (entry?.over) throw new Error("the call of this id has a result already");
    if (entry?.mixed) return withheld(client, entry);
    let given = entry?.kind === "done" ? { ...event.result, content: [text(entry.output)] } : event.result;
    const session = entry?.session ?? sessionOf(ctx);
    if (entry === undefined || REPORTED.has(entry.kind)) {
      if (entry !== undefined) entry.reported = true;
      // A result without a decision is refused here, and recorded as one that came past the gate.
      const output = given.content.map((block) => block.text ?? "").join("\n");
      const heard = await client.post("/v1/hooks/after-tool-call", {
        session,
        call: entry?.call ?? String(event.toolCallId),
        output,
        is_error: event.isError === true,
      });
      // What the daemon's own server gave is what the daemon has, whoever answered under its name.
      if (entry?.kind === "own") given = { content: [text(String(heard.output))], details: {} };
    }
    // Only now: until the daemon has the result, it would allow the same call once more.
    if (entry !== undefined) entry.over = true;
    const result = await clean(client, session, given);
    return { result: gate.goesRound(ctx) ? { ...result, terminate: true } : result };
  };
}

/** Two calls came under one id, and nobody can say whose result this is. That the first one ran is on record all the same. */
async function withheld(client, entry) {
  if (REPORTED.has(entry.kind) && entry.reported !== true) {
    entry.reported = true;
    const { session, call } = entry;
    await client.post("/v1/hooks/after-tool-call", { session, call, output: "(two calls had one id)", is_error: true });
  }
  entry.over = true;
  throw new Error("two calls came under this id");
}

/** `{content, details}` without secrets. Bytes of pictures stay here: the gateway judges them where they leave. */
async function clean(client, session, given) {
  const bare = withoutPictures(given);
  const { value } = await client.post("/v1/hooks/redact", { session, value: bare });
  return withPictures(value, given);
}

/** A message or result without the bytes of its pictures. */
export function withoutPictures(given) {
  if (!Array.isArray(given?.content)) return given;
  const bare = (block) => (block?.type === "image" && typeof block.data === "string" ? { ...block, data: "" } : block);
  return { ...given, content: given.content.map(bare) };
}

/** Puts the pictures of `given` back to where they were. */
export function withPictures(value, given) {
  if (!Array.isArray(given?.content)) return value;
  const whole = (block, index) =>
    given.content[index]?.type === "image" ? { ...block, data: given.content[index].data } : block;
  return { ...value, content: value.content.map(whole) };
}

const text = (words) => ({ type: "text", text: words });
