// The tool `message`: what a grant to write to somebody is no grant for.

import assert from "node:assert/strict";
import { test } from "node:test";

import { allow, call } from "./daemon.mjs";
import { decide, set } from "./world.mjs";

const anna = { action: "send", channel: "slack", target: "anna", message: "hi" };
const asking = (answer = allow) => set({ "/v1/hooks/before-tool-call": answer });

test("an action that is not to send is told as it came, with every field", async () => {
  const world = await asking();
  const actions = [
    "broadcast", "poll", "react", "edit", "reply", "delete", "thread-reply", "sendWithEffect", "channel-delete", "channel-edit",
    "addParticipant", "ban", "kick", "timeout", "role-add", "set-profile", "upload-file", "Send", " send", "",
  ];
  for (const [at, action] of actions.entries()) {
    const params = { ...anna, action, channelId: "C42", guildId: "G1", userId: "U7" };
    const { params: runs } = await decide(world.api, call("message", params, `call_${at}`));
    const { tool, args } = world.of("/v1/hooks/before-tool-call").at(-1);
    assert.deepEqual([tool, args, runs], ["message", params, params], action);
  }
  await world.end();
});

test("a message that could go elsewhere than a grant is compared with is refused", async () => {
  const world = await asking();
  const more = [
    { channelId: "C42" }, { channel_id: "C42" }, { chatId: 7 }, { chatGuid: "x" }, { groupId: "g" }, { userId: "u" }, { participant: "p" },
    { guildId: "g" }, { teamId: "t" }, { openId: "o" }, { gatewayUrl: "wss://evil.example" }, { gatewayToken: "t" }, { whoKnows: { to: "eve" } },
    { to: { id: "eve" } }, { to: ["eve"] }, { target: 7 }, { targets: [{ id: "eve" }] }, { targets: { id: "eve" } }, { channel: ["slack"] },
    { thread_id: "1", threadId: "2" }, { accountId: ["work"] }, { action: null }, { action: ["ban"] }, { message: { to: "eve" } },
  ];
  for (const [at, fields] of more.entries()) {
    const { allow: allowed, reason } = await decide(world.api, call("message", { ...anna, ...fields }, `call_${at}`));
    assert.equal(allowed, false, JSON.stringify(fields));
    assert.match(reason, /leave|text|once/, JSON.stringify(fields));
  }
  for (const { args } of world.of("/v1/hooks/before-tool-call")) assert.deepEqual(Object.keys(args), ["refused"]);
  await world.end();
});

test("whoever gets a message stands among its recipients, and what they get in its body", async () => {
  const world = await asking();
  for (const [at, [fields, to]] of [
    [{}, ["anna"]],
    [{ to: "eve" }, ["anna", "eve"]],
    [{ targets: ["eve", "bert"] }, ["anna", "eve", "bert"]],
    [{ target: undefined }, []],
    // Threads are channels of their own on some services, and the same name is another's on another account.
    [{ threadId: "C42" }, ["anna", "thread:C42"]],
    [{ thread_id: 42 }, ["anna", "thread:42"]],
    [{ accountId: "work" }, ["work/anna"]],
    [{ accountId: "work", threadId: "9" }, ["work/anna", "work/thread:9"]],
    // Models fill in what they do not use.
    [{ channelId: "", chatId: null, guildId: [], whoKnows: {}, remove: false }, ["anna"]],
    [{ silent: true, replyTo: "m1", presentation: { blocks: [] } }, ["anna"]],
  ].entries()) {
    const params = { ...anna, ...fields };
    const { params: runs } = await decide(world.api, call("message", params, `call_${at}`));
    const { tool, args } = world.of("/v1/hooks/before-tool-call").at(-1);
    assert.deepEqual([tool, args.channel, args.to, runs], ["message", "slack", to, params], JSON.stringify(fields));
    assert.match(args.body, /^hi/);
    const shown = Object.entries(fields).filter(([name, value]) => !["to", "target", "targets"].includes(name) && value !== undefined);
    for (const [name] of shown) assert.ok(args.body.includes(name), `${name}: ${args.body}`);
  }
  await world.end();
});
