// The hook that cannot wait, against a daemon on another thread: this one stands still meanwhile.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";

import { storing } from "../messages.mjs";
import { SyncClient } from "../sync.mjs";
import { TOKEN } from "./daemon.mjs";

const CLEANING = `
  const { daemon } = await import(${JSON.stringify(new URL("./daemon.mjs", import.meta.url).href)});
  const { parentPort } = await import("node:worker_threads");
  const { socket } = await daemon({
    "/v1/hooks/redact": ({ value }) => {
      const text = JSON.stringify(value);
      if (text.includes("slow")) return "silence";
      if (text.includes("odd")) return { status: 400, error: { code: "bad-request", message: "no" } };
      return { value: JSON.parse(text.replaceAll("hunter2-secret", "SECRET_REF(pw)")) };
    },
  });
  parentPort.postMessage(socket);
`;

const said = (text) => ({ role: "toolResult", toolCallId: "call_1", content: [{ type: "text", text }] });

test("a message is stored without secrets, and as a stub where nobody cleans it", async (t) => {
  const there = new Worker(new URL(`data:text/javascript,${encodeURIComponent(CLEANING)}`));
  const [socket] = await once(there, "message");
  const sync = new SyncClient(socket, TOKEN);
  const write = storing({ sync, gate: { asked: () => ({ kind: "done" }) } });
  const ctx = { sessionKey: "agent:main:main" };
  try {
    for (const text of ["odd", "slow"]) {
      const { message } = write({ message: said(`${text} hunter2-secret`) }, ctx);
      assert.doesNotMatch(JSON.stringify(message), /hunter2/);
      assert.deepEqual([message.role, message.toolCallId], ["toolResult", "call_1"]);
    }
    // An answer that nobody waits for any more is not taken for the next one's.
    assert.equal(write({ message: said("hello") }, ctx), undefined);
    const { message } = write({ message: said("it is hunter2-secret") }, ctx);
    assert.deepEqual(message, said("it is SECRET_REF(pw)"));
    const calls = { role: "assistant", content: [{ type: "text", text: "odd" }, { type: "toolCall", id: "c", name: "exec", arguments: { command: "x" } }] };
    const kept = write({ message: calls }, ctx).message.content;
    assert.deepEqual(kept.at(-1), { type: "toolCall", id: "c", name: "exec", arguments: {} });
    const body = said("x".repeat(2_000));
    const begin = process.hrtime.bigint();
    for (let count = 0; count < 200; count += 1) write({ message: body }, ctx);
    t.diagnostic(`${Number(process.hrtime.bigint() - begin) / 200_000} µs a message of 2 kB`);
  } finally {
    await sync.close();
    await there.terminate();
  }
});

test("a call that was allowed and then found not to fit has an end all the same", () => {
  const told = [];
  const sync = { post: (path, body) => (told.push([path, body]), { value: body.value }) };
  const entry = { kind: "runtime" };
  const known = { call_1: entry, call_2: { kind: "runtime", reported: true }, call_3: { kind: "own" }, call_4: { kind: "refused" } };
  const write = storing({ sync, gate: { asked: (_, call) => known[call] } });
  const failed = (toolCallId) => ({ message: { role: "toolResult", isError: true, toolCallId, toolName: "sessions_spawn", content: [] } });
  for (const call of ["call_1", "call_1", "call_2", "call_3", "call_4"]) write(failed(call), { sessionKey: "s" });
  const ends = told.filter(([path]) => path === "/v1/hooks/after-tool-call").map(([, body]) => body);
  assert.deepEqual(ends, [{ session: "s", call: "call_1", output: "it did not run", is_error: true }]);
  assert.equal(told.filter(([path]) => path === "/v1/hooks/before-tool-call").length, 0);
});
