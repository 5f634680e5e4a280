// From OpenClaw's names of arguments to those of the hook API, and from an answer back to what OpenClaw runs. No rules here:
// what a call means is the daemon's to say.

import { settled } from "./paths.mjs";
import { told } from "./sends.mjs";

/** Tools whose `path` OpenClaw mends by itself. */
const FILES = new Set(["read", "write", "edit", "ls"]);
/** Where a command may be asked to run: where it runs anyway. */
const HERE = new Set([undefined, null, "", "auto", "gateway"]);
/** How tools of the MCP server `wardkeep` are called. */
const OURS = "wardkeep__";
/** How long a command may take that the daemon runs, milliseconds; the daemon's own limit is shorter. */
const RUN_MS = 180_000;

/**
 * What the gate is asked, and the parameters with which the tool would run.
 *
 * Throws where the call cannot be told so that judged and run are the same; the text is for the model.
 */
export function asked(event, settings) {
  const tool = String(event.toolName ?? "").toLowerCase();
  const params = event.params ?? {};
  if (event.toolKind === "code_mode_exec") throw new Error("code mode is switched off on this server");
  if (FILES.has(tool)) {
    const path = params.path === undefined && tool === "ls" ? settings.workspace : settled(params.path, settings.workspace);
    return { tool, args: { ...params, path }, params: { ...params, path } };
  }
  if (tool === "exec") {
    const { command, workdir, env } = params;
    for (const name of ["elevated", "node"]) {
      if (params[name] !== undefined && params[name] !== false && params[name] !== "") {
        throw new Error(`commands run beside this server's daemon; leave out ${name}`);
      }
    }
    if (!HERE.has(params.host)) throw new Error("commands run beside this server's daemon and nowhere else; leave out host");
    return { tool, args: { command, workdir, env: env ?? {} }, params };
  }
  // The daemon's own MCP server: judged as the tool that it is, run by what was decided here.
  if (tool.startsWith(OURS)) return { tool: tool.slice(OURS.length), args: params, params, ours: true };
  if (tool === "message") return { ...told(params), params };
  return { tool, args: params, params };
}

/** The command that has the daemon run its own copy of an allowed call, and prints the redacted output. */
export function runnerCommand(permit, settings) {
  if (!/^[0-9a-f-]{36}$/.test(permit)) throw new Error("the daemon gave no permit");
  // Without paths but its own, or OpenClaw's allow-list would not take it; the rest is in its environment.
  return { command: `${quoted(settings.runner)} exec ${permit}`, timeoutSeconds: RUN_MS / 1000, yieldMs: RUN_MS };
}

/** The arguments by which the daemon's MCP server runs an allowed call, whatever its arguments were. */
export function permitOf(permit) {
  if (!/^[0-9a-f-]{36}$/.test(permit)) throw new Error("the daemon gave no permit");
  return { wardkeep_permit: permit };
}

/** Where the runner finds daemon and token. */
export const runnerEnvironment = (settings) => ({
  WARDKEEP_HOOK_SOCKET: settings.socket,
  WARDKEEP_AGENT_TOKEN_FILE: settings.tokenFile,
});

const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
