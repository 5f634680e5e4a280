// What the operator configured, read once. A setting that is missing or odd is an error: the plugin then asks nobody and
// allows nothing.

import { readFileSync } from "node:fs";

const ABSOLUTE = /^\/[^\0]*$/;

/** Reads `plugins.entries.wardkeep.config`. */
export function settingsOf(config) {
  const given = config ?? {};
  const settings = {
    socket: path(given, "socket"),
    tokenFile: path(given, "tokenFile"),
    runner: path(given, "runner"),
    workspace: given.workspace === undefined ? undefined : path(given, "workspace"),
    waitMs: 1000 * whole(given, "waitSeconds", 120, 0, 600),
    outgoing: given.outgoing ?? "ask",
    refusalsInARow: whole(given, "refusalsInARow", 8, 1, 100),
  };
  if (!["ask", "clean"].includes(settings.outgoing)) throw new Error("wardkeep: outgoing must be ask or clean");
  return settings;
}

/** The agent's token; read again for each client, so that a rotated one counts after a reload. */
export function tokenOf(settings) {
  const token = readFileSync(settings.tokenFile, "utf8").trim();
  if (!/^[\x21-\x7e]{1,4096}$/.test(token)) throw new Error("wardkeep: the token file holds no token");
  return token;
}

function path(given, name) {
  const value = given[name];
  if (typeof value !== "string" || !ABSOLUTE.test(value)) throw new Error(`wardkeep: ${name} must be an absolute path`);
  return value;
}

function whole(given, name, otherwise, least, most) {
  const value = given[name] ?? otherwise;
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Error(`wardkeep: ${name} must be a whole number from ${least} to ${most}`);
  }
  return value;
}
