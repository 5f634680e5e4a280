// Messages: before they are stored, and before they leave to a channel.

import { randomUUID } from "node:crypto";

import { SOON } from "./client.mjs";
import { canonical, nameOf, sessionOf } from "./names.mjs";
import { withPictures, withoutPictures } from "./results.mjs";
import { filesIn } from "./sends.mjs";
import { ours } from "./words.mjs";

const NO_FILES = "Wardkeep sends files only with the tool message, where each is decided on";
const STUB = "[Wardkeep could not clean this text, so it was not stored]";

/** For `before_message_write`, which cannot wait: what cannot be cleaned is stored as a stub. */
export function storing({ sync, gate }) {
  return (event, ctx) => {
    const { message } = event;
    if (isOurs(message)) return undefined;
    try {
      late(sync, gate, message, sessionOf(ctx ?? event));
      const bare = withoutPictures(message);
      const { value } = sync.post("/v1/hooks/redact", { session: sessionOf(ctx ?? event), value: bare });
      return canonical(value) === canonical(bare) ? undefined : { message: withPictures(value, message) };
    } catch {
      return { message: stub(message) };
    }
  };
}

/** An answer that the plugin gave in the model's place. */
const isOurs = (message) =>
  message?.role === "assistant" && Array.isArray(message.content) && message.content.length > 0 &&
  message.content.every((block) => block?.type === "text" && ours(block.text));

/**
 * Nothing ran where a tool does not exist or its arguments do not fit, and no other hook hears of it. It is put before the
 * daemon now, so that its result has a decision and the conversation can go on; or its end is told, where it was allowed first and
 * found not to fit then. Only a failure is: what gave something without a decision came past the gate.
 */
function late(sync, gate, message, session) {
  const { role, isError, toolCallId, toolName } = message ?? {};
  if (role !== "toolResult" || isError !== true || typeof toolCallId !== "string") return;
  const call = nameOf(toolCallId);
  const entry = gate.asked(session, call);
  if (entry !== undefined) {
    if (entry.kind !== "runtime" || entry.reported === true) return;
    entry.reported = true;
    sync.post("/v1/hooks/after-tool-call", { session, call, output: "it did not run", is_error: true });
    entry.over = true;
    return;
  }
  const body = { session, call, tool: nameOf(toolName, "tool"), args: {}, wait_ms: 0, unrun: true };
  sync.post("/v1/hooks/before-tool-call", body);
}

/** Files of an outgoing message that no call of the tool `message` was allowed to send: a reply can name some by itself. */
const unasked = (gate, at, message) => filesIn(message).filter((file) => !gate.tickets.sent(at, file));

/** Where a channel is about to send something, as far as its hook says so. */
const placeOf = (event, ctx) => ({
  session: sessionOf(ctx),
  channel: ctx?.channelId ?? event.metadata?.channel,
  account: ctx?.accountId ?? event.metadata?.accountId,
  thread: event.threadId,
  to: event.to,
});

/** The same message without a word of it: results keep their calls, or the history could not be told any more. */
function stub(message) {
  const { role, timestamp, toolCallId, toolName, isError, api, provider, model, stopReason, usage } = message ?? {};
  const calls = role === "assistant" && Array.isArray(message.content) ? message.content : [];
  const kept = calls.filter((block) => block?.type === "toolCall").map(({ type, id, name }) => ({ type, id, name, arguments: {} }));
  const content = [{ type: "text", text: STUB }, ...kept];
  const rest = { role, timestamp, toolCallId, toolName, isError, api, provider, model, stopReason, usage };
  return { ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)), content };
}

/** For `message_sending`. The host lets the original out when this throws or is late, so it does neither. */
export function sending({ client, gate, settings }) {
  return async (event, ctx) => {
    if (ours(event.content)) return { content: event.content };
    try {
      const at = placeOf(event, ctx);
      const { session } = at;
      const text = String(event.content ?? "");
      if (unasked(gate, at, { mediaUrls: event.metadata?.mediaUrls }).length > 0) return { cancel: true, cancelReason: NO_FILES };
      if (settings.outgoing === "clean" || gate.tickets.spend(at, text)) {
        const { value } = await client.post("/v1/hooks/redact", { session, value: text });
        return { content: value };
      }
      const call = `outgoing-${randomUUID()}`;
      const channel = at.channel ?? "channel";
      const body = { session, call, channel, to: [String(event.to ?? "")], text, wait_ms: settings.waitMs };
      const answer = await client.post("/v1/hooks/message-sending", body, { within: settings.waitMs + SOON });
      if (answer.decision !== "allow") {
        return { cancel: true, cancelReason: String(answer.message ?? "Wardkeep did not allow this message") };
      }
      await client.post("/v1/hooks/after-tool-call", { session, call, output: "handed to the channel" });
      return { content: answer.text };
    } catch {
      return { cancel: true, cancelReason: "Wardkeep could not decide on this message" };
    }
  };
}

/** For `reply_payload_sending`: cleaned, or not sent. */
export function replying({ client, gate }) {
  return async (event, ctx) => {
    if (ours(event.payload?.text)) return { payload: { text: event.payload.text } };
    try {
      if (unasked(gate, { session: sessionOf(ctx) }, event.payload).length > 0) return { cancel: true, reason: NO_FILES };
      const { value } = await client.post("/v1/hooks/redact", { session: sessionOf(ctx), value: event.payload });
      return { payload: value };
    } catch {
      return { cancel: true, reason: "Wardkeep could not clean this message" };
    }
  };
}
