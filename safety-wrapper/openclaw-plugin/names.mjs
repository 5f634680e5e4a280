// Names as the daemon takes them: 1 to 128 visible ASCII characters.

import { createHash } from "node:crypto";

const NAME = /^[\x21-\x7e]{1,128}$/;
/** What stands in the key of a sub-agent's session, or of another runtime's that OpenClaw started. */
const SUBAGENT = /(?:^|:)(?:subagent|acp):/i;

/** `text`, or a digest of what is no name. */
export function nameOf(text, otherwise) {
  const given = typeof text === "string" && text !== "" ? text : otherwise;
  return NAME.test(given) ? given : `sha256:${createHash("sha256").update(given).digest("hex")}`;
}

/** The session of a hook's context. One that nobody named may be anybody's, so it is named as one of a sub-agent. */
export const sessionOf = (ctx) => sessionNamed(ctx?.sessionKey) ?? nameOf(`subagent:${ctx?.sessionId ?? "unnamed"}`);

/** A session's key as the daemon takes it. Where only a digest of it fits, that of a sub-agent still says so. */
export function sessionNamed(key) {
  if (typeof key !== "string" || key === "") return undefined;
  const name = nameOf(key);
  return name !== key && SUBAGENT.test(key) ? `subagent:${name}` : name;
}

/** JSON with sorted keys: equal values have equal texts. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item ?? null)).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const members = Object.keys(value).filter((key) => value[key] !== undefined).sort();
    return `{${members.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}
