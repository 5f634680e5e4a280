// From OpenClaw's names of arguments to those of the hook API, and from an answer back to what OpenClaw runs. No rules here:
// what a call means is the daemon's to say.

import { settled } from "./paths.mjs";

/** Tools whose `path` OpenClaw mends by itself. */
const FILES = new Set(["read", "write", "edit", "ls"]);
/** Where a command may be asked to run: where it runs anyway. */
const HERE = new Set([undefined, null, "", "auto", "gateway"]);
/** Names under which a message has files; what stands below one of them is one, too. */
const FILE = /media|attach|file|path|buffer|image|photo|video|audio|document|sticker/i;
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
  // Nobody sees what is in a file before it is sent, so a grant to write to somebody is none to send files.
  if (tool === "message" && filesIn(params).length > 0) return { tool: "message_files", args: params, params };
  if (tool === "message") return { tool, args: message(params), params };
  return { tool, args: params, params };
}

/** Every file or address of one that stands in a message, under any name that OpenClaw has for it. */
export function filesIn(value, under = "") {
  if (typeof value === "string") return FILE.test(under) && value !== "" ? [value] : [];
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, item]) => filesIn(item, Array.isArray(value) || FILE.test(under) ? under : key));
}

/** Everything that a recipient would get stands in the body, so that nobody approves half of a message. */
function message(params) {
  const { action, channel, target, targets, message: text, ...rest } = params;
  const to = [target, params.to, ...(Array.isArray(targets) ? targets : [targets])].filter((one) => typeof one === "string");
  const { to: _, ...more } = rest;
  const plain = action === undefined || action === "send";
  const said = [plain ? [] : [`[${action}]`], text ?? "", Object.keys(more).length === 0 ? [] : JSON.stringify(more)];
  return { channel: channel ?? "message", to, body: said.flat().join("\n").trim() };
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
