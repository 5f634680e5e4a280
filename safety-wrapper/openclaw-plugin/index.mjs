// The Wardkeep plugin for OpenClaw: asks the daemon beside the gateway, and holds no rule and no secret itself.
//
// Where the plugin cannot ask, it refuses; where it could not even begin, it takes no lease, and the daemon refuses the
// agent's LLM traffic.

import { runnerEnvironment } from "./calls.mjs";
import { Children } from "./children.mjs";
import { Client, DaemonError, SOON } from "./client.mjs";
import { Gate } from "./gate.mjs";
import { Lease } from "./lease.mjs";
import { replying, sending, storing } from "./messages.mjs";
import { nameOf, sessionOf } from "./names.mjs";
import { PREFIX } from "./prefix.mjs";
import { cleaner } from "./results.mjs";
import { settingsOf, tokenOf } from "./settings.mjs";
import { SyncClient } from "./sync.mjs";
import { away, shut, unset } from "./words.mjs";

/** Runs before every other plugin's hook that judges, and after every one that changes. */
const FIRST = 1_000_000;
const LAST = -1_000_000;
/** More than any wait: the host lets a message out when this is over. */
const PATIENCE = 600_000;

/**
 * Where the parts of this process stand. OpenClaw registers a plugin several times, `full` once and then for catalogues, and
 * runs the hooks of any of these: all of them ask the one set of parts.
 */
const LIVE = Symbol.for("wardkeep.openclaw.live");

function register(api) {
  if (api.registrationMode === undefined || api.registrationMode === "full") begin(api);
  guard(api, live);
  observe(api, live);
}

/** The parts that count at this moment; before a full registration, and after the end, such as refuse. */
const live = () => globalThis[LIVE] ?? NOTHING;

function begin(api) {
  const before = globalThis[LIVE];
  const parts = assemble(api);
  globalThis[LIVE] = parts;
  // A plugin that is loaded again begins anew; what was before speaks with nobody any more.
  void before?.close();
  parts.lease.begin(() => void parts.children.tell());
  const end = async () => {
    if (globalThis[LIVE] === parts) globalThis[LIVE] = undefined;
    await parts.close();
  };
  api.lifecycle?.onDispose?.(end);
  api.on("gateway_stop", end);
}

/** Everything that speaks with the daemon. What cannot be put together refuses. */
function assemble(api) {
  try {
    const settings = settingsOf(api.pluginConfig);
    const token = tokenOf(settings);
    const client = new Client(settings.socket, token);
    const sync = new SyncClient(settings.socket, token);
    const lease = new Lease(client, nameOf(`openclaw/${api.runtime?.version ?? "unknown"}`));
    const children = new Children(client, lease);
    const close = async () => {
      await lease.end();
      client.close();
      await sync.close();
    };
    return { settings, client, sync, lease, children, gate: new Gate(client, settings), close };
  } catch (error) {
    api.logger?.error?.(`${error?.message ?? error}; nothing is allowed until this is mended`);
    return nothing(error);
  }
}

/** Parts that refuse everything. */
function nothing(error) {
  const refuse = () => {
    throw new DaemonError("not-set-up", error?.message ?? "the Wardkeep plugin is not set up");
  };
  const settings = { waitMs: 0, outgoing: "ask", refusalsInARow: 1, socket: "/", tokenFile: "/", runner: "/" };
  const client = { post: async () => refuse(), close() {} };
  const lease = { begin() {}, standing: async () => refuse(), end: async () => {} };
  const children = { spawned() {}, ended() {}, tell() {} };
  return { settings, client, sync: { post: refuse }, lease, children, gate: new Gate(client, settings), close: async () => {} };
}

const NOTHING = nothing();

/** The hooks that can say no. */
function guard(api, parts) {
  api.registerTrustedToolPolicy({
    id: "wardkeep-gate",
    description: "Asks the Wardkeep daemon about every tool call",
    evaluate: async (event, ctx) => {
      const { params, reason } = await parts().gate.decide(event, ctx);
      return reason === undefined ? { params } : { allow: false, reason };
    },
  });
  // A second look, after every other plugin had its own: what runs is what was decided on.
  const confirm = async (event, ctx) => {
    const { reason } = await parts().gate.confirm(event, ctx);
    return reason === undefined ? undefined : { block: true, blockReason: reason };
  };
  api.on("before_tool_call", confirm, { priority: LAST, timeoutMs: PATIENCE });
  api.registerAgentToolResultMiddleware((event, ctx) => cleaner(parts())(event, ctx), { runtimes: ["openclaw"] });
  api.on("before_message_write", (event, ctx) => storing(parts())(event, ctx), { priority: LAST });
  api.on("message_sending", (event, ctx) => sending(parts())(event, ctx), { priority: LAST, timeoutMs: PATIENCE });
  api.on("reply_payload_sending", (event, ctx) => replying(parts())(event, ctx), { priority: LAST, timeoutMs: PATIENCE });
  // First in words that the person reads, then, for runs that nobody waits for, by refusing them.
  const patience = { priority: FIRST, timeoutMs: SOON + 2_000 };
  api.on("before_agent_reply", async () => {
    const why = await reasonAgainst(parts());
    return why === undefined ? undefined : { handled: true, reply: { text: why } };
  }, patience);
  api.on("before_agent_run", async () => {
    const message = await reasonAgainst(parts());
    return message === undefined ? { outcome: "pass" } : { outcome: "block", reason: "wardkeep-closed", message };
  }, patience);
}

/** No run begins while the daemon is away or closed: why, in words, where the LLM gateway could only refuse. */
async function reasonAgainst({ lease }) {
  try {
    const { closed } = await lease.standing();
    const states = (closed ?? []).filter((state) => state !== "hub-away");
    return states.length === 0 ? undefined : shut(states);
  } catch (error) {
    return error?.code === "not-set-up" ? unset() : away();
  }
}

/** The hooks that only tell. */
function observe(api, parts) {
  // A runner that does not learn where the daemon is runs nothing.
  api.on("resolve_exec_env", () => runnerEnvironment(parts().settings));
  api.on("before_prompt_build", () => ({ prependSystemContext: PREFIX }));
  api.on("subagent_spawned", (event, ctx) => parts().children.spawned(event, ctx));
  api.on("subagent_ended", (event) => parts().children.ended(event));
  const traced = new Set();
  api.on("model_call_started", async (event, ctx) => {
    const trace = ctx?.trace?.traceId;
    if (typeof trace !== "string" || traced.has(trace)) return;
    traced.add(trace);
    if (traced.size > 4_096) traced.delete(traced.values().next().value);
    const body = { session: sessionOf(ctx), run: nameOf(event.runId, "run"), trace };
    // Attribution only: a run does not wait for it, and a daemon that is away refuses the request itself.
    await parts().client.post("/v1/hooks/model-call", body).catch(() => {});
  });
}

export default { id: "wardkeep", name: "Wardkeep", register };
