// Models choose the ids of their calls: one that comes back brings no decision with it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { PERMIT, allow, call, ctx } from "./daemon.mjs";
import { decide, set } from "./world.mjs";

/** The daemon as it answers the same id again: the recorded state for the same call, a conflict for another. */
function remembering() {
  const calls = new Map();
  return {
    "/v1/hooks/before-tool-call": ({ call: id, tool, args }) => {
      const content = JSON.stringify([tool, args]);
      const there = calls.get(id);
      if (there === undefined) return calls.set(id, { content }) && allow;
      if (there.content !== content) return { status: 409, error: { code: "call-conflict", message: "give the new call its own id" } };
      return there.output === undefined ? allow : { decision: "done", permit: PERMIT, result: { status: "ok", output: there.output } };
    },
    "/v1/hooks/after-tool-call": ({ call: id, output }) => ((calls.get(id).output = output), { output }),
  };
}

test("an id that comes back brings no decision back: another call under it, another tool, the same call after its result", async () => {
  const world = await set(remembering());
  const asked = () => world.of("/v1/hooks/before-tool-call").length;
  const ran = [];
  const run = async (tool, params) => {
    const event = call(tool, params, "call_0");
    const { params: runs, reason } = await decide(world.api, event);
    const stopped = reason ?? (await world.api.hook("before_tool_call")({ ...event, params: runs }, ctx))?.blockReason;
    if (stopped === undefined) ran.push([tool, runs]);
    const result = { content: [{ type: "text", text: stopped ?? "sent" }] };
    await world.api.middleware.handler({ ...event, args: params, isError: stopped !== undefined, result }, ctx).catch(() => {});
    return stopped;
  };
  const anna = { action: "send", channel: "whatsapp", target: "anna", message: "hi" };
  assert.equal(await run("message", anna), undefined);
  assert.equal(asked(), 1, "both hooks of one call cost one question");
  assert.match(await run("message", anna), /called before under this id.*sent/s);
  assert.match(await run("message", { ...anna, target: "eve" }), /its own id/);
  assert.match(await run("read", { path: "/etc/passwd" }), /its own id/);
  assert.equal(asked(), 4, "each was put before the daemon");
  assert.deepEqual(ran, [["message", anna]]);
  await world.end();
});

test("two calls under one id at the same time: the second one does not run, and no result is told as either's", async () => {
  for (const other of [call("message", { action: "send", target: "eve", message: "hi" }), call("read", { path: "a" }), call("write", { path: "/a", content: "x" })]) {
    const world = await set(remembering());
    const first = call("write", { path: "/a", content: "x" });
    const confirm = world.api.hook("before_tool_call");
    // Asked together, as calls of one answer are, and each confirmed as it is about to run.
    const [one, two] = await Promise.all([decide(world.api, first), decide(world.api, other)]);
    assert.equal(await confirm({ ...first, params: one.params }, ctx), undefined);
    assert.equal((await confirm({ ...other, params: two.params ?? other.params }, ctx)).block, true, other.toolName);
    assert.equal((await decide(world.api, other)).allow, false);
    const event = { ...first, args: first.params, result: { content: [{ type: "text", text: "whose" }] } };
    await assert.rejects(world.api.middleware.handler(event, ctx));
    await assert.rejects(world.api.middleware.handler({ ...event, toolName: other.toolName }, ctx));
    assert.equal(world.of("/v1/hooks/before-tool-call").length, 1);
    assert.deepEqual(world.of("/v1/hooks/after-tool-call").map((one) => [one.call, one.is_error]), [["call_1", true]]);
    await world.end();
  }
});

test("a decision is confirmed for its own tool alone, and a second result under its id is withheld", async () => {
  const world = await set(remembering());
  const params = { path: "/srv/agents/a/x", content: "x" };
  await decide(world.api, call("write", params));
  assert.match((await world.api.hook("before_tool_call")(call("edit", params), ctx)).blockReason, /changed/);
  const event = { ...call("write", params), args: params, result: { content: [{ type: "text", text: "written" }] } };
  assert.deepEqual((await world.api.middleware.handler(event, ctx)).result.content, event.result.content);
  await assert.rejects(world.api.middleware.handler(event, ctx));
  await world.end();
});
