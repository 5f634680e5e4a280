// A daemon that answers what a test tells it to, on a real Unix socket, and keeps what it was asked.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const TOKEN = "wka_token";

/** Starts it; `answers` maps a path to a value or to a function of the body. */
export async function daemon(answers) {
  const folder = mkdtempSync(join(tmpdir(), "wardkeep-plugin-"));
  const heard = [];
  // Answers without an end that are being read.
  const held = new Set();
  const server = createServer((request, response) => {
    const pieces = [];
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(pieces).toString("utf8"));
      heard.push({ path: request.url, body, token: request.headers.authorization });
      const given = answers[request.url];
      const said = typeof given === "function" ? given(body) : given;
      if (said === "silence") return;
      if (said?.held !== undefined) {
        response.writeHead(200, { "content-type": "application/x-ndjson" });
        response.write(`${JSON.stringify(said.held)}\n`);
        held.add(response);
        response.on("close", () => held.delete(response));
        return;
      }
      const status = said === undefined ? 404 : (said.status ?? 200);
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(said ?? { error: { code: "unknown-call", message: "no such call" } }));
    });
  });
  const socket = join(folder, "hook.sock");
  await new Promise((resolve) => server.listen(socket, resolve));
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, `${TOKEN}\n`);
  const stop = () => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { socket, tokenFile, heard, held, stop, of: (path) => heard.filter((one) => one.path === path).map((one) => one.body) };
}

/** What OpenClaw gives a plugin, as far as this one uses it. */
export function host(config, mode = "full") {
  const hooks = new Map();
  const api = {
    registrationMode: mode,
    pluginConfig: config,
    runtime: { version: "2026.9.6" },
    logger: { error: (text) => (api.said = text) },
    lifecycle: { onDispose: (close) => (api.dispose = close) },
    on: (name, handler, options) => hooks.set(name, { handler, options }),
    registerTrustedToolPolicy: (policy) => (api.policy = policy),
    registerAgentToolResultMiddleware: (handler, options) => (api.middleware = { handler, options }),
    hook: (name) => hooks.get(name)?.handler,
    options: (name) => hooks.get(name)?.options,
  };
  return api;
}

/** Waits until `is` says yes. */
export async function until(is) {
  for (let round = 0; !is(); round += 1) {
    if (round > 500) throw new Error("it did not happen in time");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export const started = { lease: { renew_after_ms: 40_000 }, closed: [] };
export const PERMIT = "01890a5d-ac96-774b-bcce-b302099a8057";
export const allow = { decision: "allow", permit: PERMIT };
export const ctx = { runId: "run-1", sessionKey: "agent:main:main" };
export const call = (toolName, params, toolCallId = "call_1") => ({ toolName, params, toolCallId, runId: "run-1" });
