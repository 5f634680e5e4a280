// Names as the daemon takes them: 1 to 128 visible ASCII characters.

import { createHash } from "node:crypto";

const NAME = /^[\x21-\x7e]{1,128}$/;

/** `text`, or a digest of what is no name. */
export function nameOf(text, otherwise) {
  const given = typeof text === "string" && text !== "" ? text : otherwise;
  return NAME.test(given) ? given : `sha256:${createHash("sha256").update(given).digest("hex")}`;
}

/** The session of a hook's context. */
export const sessionOf = (ctx) => nameOf(ctx?.sessionKey ?? ctx?.sessionId, "openclaw");

/** JSON with sorted keys: equal values have equal texts. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item ?? null)).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const members = Object.keys(value).filter((key) => value[key] !== undefined).sort();
    return `{${members.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}
