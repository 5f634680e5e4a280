// What a call of `message` was allowed to send is asked about no second time: that message, to that recipient, in that moment.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { allow, call, ctx } from "./daemon.mjs";
import { decide, set } from "./world.mjs";

const anna = { action: "send", channel: "whatsapp", target: "anna", message: "T" };
const there = { ...ctx, channelId: "whatsapp" };

/** A plugin whose daemon allows calls, and refuses whatever a channel asks about. */
const world = () => set({
  "/v1/hooks/before-tool-call": allow,
  "/v1/hooks/message-sending": { decision: "deny", message: "Not allowed: asked" },
  "/v1/hooks/after-tool-call": { output: "" },
});

/** Whether the channel let it out without a question. */
const out = async ({ api }, event, at = there) => (await api.hook("message_sending")({ to: "anna", content: "T", ...event }, at)).cancel !== true;

test("the text of an allowed message goes nowhere else unasked, and no other text goes there", async () => {
  for (const [event, at] of [
    [{ to: "eve" }],
    [{ to: "anna, eve" }],
    [{ to: undefined }],
    [{ to: "anna" }, { ...there, channelId: "telegram" }],
    [{ to: "anna" }, { ...ctx }],
    [{ to: "anna" }, { ...there, sessionKey: "agent:main:other" }],
    [{ to: "eve" }, { channelId: "whatsapp" }],
    [{ content: "t" }],
    [{ content: "" }],
  ]) {
    const open = await world();
    await decide(open.api, call("message", anna));
    assert.equal(await out(open, event, at), false, JSON.stringify([event, at]));
    assert.equal(await out(open, {}), true, "what was decided on is still not asked about");
    assert.equal(await out(open, {}), false, "and once only");
    await open.end();
  }
});

test("nothing but an allowed send to one recipient spares the channel's question", async () => {
  const open = await world();
  for (const [at, [tool, params]] of [
    ["message", { ...anna, action: "reply" }],
    ["message", { ...anna, targets: ["eve"] }],
    ["message", { ...anna, target: undefined }],
    ["message", { ...anna, message: "" }],
    ["message", { ...anna, threadId: "7" }],
    ["message", { ...anna, accountId: "work" }],
    ["message_board", anna],
    ["probe__message", anna],
  ].entries()) {
    await decide(open.api, call(tool, params, `call_${at}`));
    assert.equal(await out(open, { content: params.message }), false, JSON.stringify([tool, params]));
  }
  assert.equal(await out(open, { threadId: 7 }), true, "the thread that was named");
  assert.equal(await out(open, {}, { ...there, accountId: "work" }), true, "the account that was named");
  await open.end();
});

test("what was allowed and not sent is asked about again after seconds, files too", async () => {
  const open = await world();
  const file = "/srv/agents/a/report.pdf";
  const reply = () => open.api.hook("reply_payload_sending")({ payload: { text: "look", mediaUrl: file } }, ctx);
  const metadata = { mediaUrls: [file] };
  await decide(open.api, call("message", { ...anna, media: file }));
  assert.equal((await reply()).cancel, undefined);
  assert.equal(await out(open, { to: "eve", metadata }), false, "a file that was for another recipient");
  const begun = performance.now();
  const clock = mock.method(performance, "now", () => begun + 60_000);
  try {
    assert.equal(await out(open, { metadata }), false);
    assert.equal((await reply()).cancel, true);
  } finally {
    clock.mock.restore();
  }
  assert.equal(await out(open, { metadata }), true);
  await open.end();
});

test("an allowed action that sends nothing spares no file a question, whoever would get it", async () => {
  const file = "/srv/agents/a/report.pdf";
  for (const action of ["set-icon", "reply", "broadcast"]) {
    for (const more of [{}, { channel: "whatsapp", target: "anna" }]) {
      const open = await world();
      assert.notEqual((await decide(open.api, call("message", { action, media: file, ...more }))).allow, false);
      const reply = await open.api.hook("reply_payload_sending")({ payload: { text: "look", mediaUrl: file } }, ctx);
      assert.equal(reply.cancel, true, action);
      for (const to of ["anna", "eve"]) assert.equal(await out(open, { to, metadata: { mediaUrls: [file] } }), false, `${action} ${to}`);
      await open.end();
    }
  }
});
