// Anthropic's client for Node: Messages, count_tokens, files, models.

import assert from "node:assert";
import Anthropic, { toFile } from "@anthropic-ai/sdk";

const TOOL = {
  name: "weather",
  description: "Tells the weather of a city.",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

// The address and, mostly, the token stand in the environment.
const client = ({ retries = 0, timeout = 20, token }) =>
  new Anthropic({ maxRetries: retries, timeout: timeout * 1000, ...(token && { apiKey: token }) });

const summary = (message) => ({
  text: message.content.filter((block) => block.type === "text").map((block) => block.text).join(""),
  stop: message.stop_reason,
  input: message.usage.input_tokens,
  output: message.usage.output_tokens,
  request: message._request_id,
});

const turn = (model, content, more = {}) => ({ model, max_tokens: 256, messages: [{ role: "user", content }], ...more });

const whole = (request, streams, options) =>
  streams ? client(options).messages.stream(request).finalMessage() : client(options).messages.create(request);

export async function plain({ model, text, ...options }) {
  const begun = performance.now();
  const answer = summary(await client(options).messages.create(turn(model, text)));
  return { ...answer, seconds: (performance.now() - begun) / 1000 };
}

export async function stream({ model, text, ...options }) {
  const pieces = [];
  const events = client(options).messages.stream(turn(model, text)).on("text", (piece) => pieces.push(piece));
  const answer = summary(await events.finalMessage());
  assert.equal(pieces.join(""), answer.text);
  return { ...answer, pieces: pieces.length };
}

// Without the helper that puts the message together.
export async function raw_stream({ model, text, ...options }) {
  const kinds = new Set();
  let said = "";
  for await (const event of await client(options).messages.create({ ...turn(model, text), stream: true })) {
    kinds.add(event.type);
    if (event.type === "content_block_delta") said += event.delta.text;
  }
  return { text: said, kinds: [...kinds] };
}

// A call and what it was an answer to, until its result comes.
let open;

export async function call({ model, text, streams, ...options }) {
  const request = turn(model, text, { tools: [TOOL] });
  const first = await whole(request, streams, options);
  const { id, name, input } = first.content.find((block) => block.type === "tool_use");
  request.messages.push({ role: "assistant", content: first.content });
  open = { request, id };
  return { id, name, args: input, stop: first.stop_reason };
}

export async function result({ words, streams, ...options }) {
  const block = { type: "tool_result", tool_use_id: open.id, content: words };
  open.request.messages.push({ role: "user", content: [block] });
  return summary(await whole(open.request, streams, options));
}

export async function image({ model, text, data, ...options }) {
  const source = { type: "base64", media_type: "image/png", data };
  return summary(await whole(turn(model, [{ type: "image", source }, { type: "text", text }]), false, options));
}

export async function document({ model, text, words, ...options }) {
  const source = { type: "text", media_type: "text/plain", data: words };
  const block = { type: "document", source, title: "notes.txt" };
  return summary(await whole(turn(model, [block, { type: "text", text }]), false, options));
}

export async function upload({ name, words, ...options }) {
  const file = await toFile(Buffer.from(words), name, { type: "text/plain" });
  const made = await client(options).files.upload({ file });
  return { id: made.id, name: made.filename };
}

export async function count({ model, text, ...options }) {
  return (await client(options).messages.countTokens({ model, messages: [{ role: "user", content: text }] })).input_tokens;
}

export async function models(options) {
  const all = [];
  for await (const model of client(options).models.list()) all.push(model.id);
  return all;
}

export async function one_model({ model, ...options }) {
  return (await client(options).models.retrieve(model)).id;
}

export async function abort({ model, text, after, ...options }) {
  const controller = new AbortController();
  let pieces = 0;
  const events = await client(options).messages.create({ ...turn(model, text), stream: true }, { signal: controller.signal });
  for await (const event of events) {
    if (event.type === "content_block_delta" && ++pieces === after) controller.abort();
  }
  return { pieces };
}

// An address that the gateway does not serve.
export async function unknown(options) {
  return (await client(options).messages.batches.list()).data;
}

// `value` in every field of a request that holds text; `told`: that the other API can say, too.
export async function everywhere({ model, value, id, streams, told, ...options }) {
  const schema = { type: "object", properties: { city: { type: "string", enum: ["Wien", value] } } };
  const call = { type: "tool_use", id, name: "weather", input: { city: value, [value]: [{ deep: value }] } };
  const result = { type: "tool_result", tool_use_id: id, content: [{ type: "text", text: `It is ${value}` }] };
  const source = { type: "text", media_type: "text/plain", data: `In a file: ${value}` };
  const document = { type: "document", source, title: value, context: value };
  const message = await whole(
    {
      model,
      max_tokens: 256,
      system: [{ type: "text", text: `You know ${value}`, cache_control: { type: "ephemeral" } }],
      messages: [
        { role: "user", content: `I say ${value}` },
        { role: "assistant", content: [{ type: "text", text: `You said ${value}` }, call] },
        { role: "user", content: told ? [result] : [result, document] },
      ],
      tools: [{ name: "weather", description: `Tells ${value}.`, input_schema: schema }],
      stop_sequences: [value],
      metadata: { user_id: value },
      ...(!told && { x_unknown: { [value]: value } }),
    },
    streams,
    options,
  );
  const calls = message.content.filter((block) => block.type === "tool_use");
  return { ...summary(message), calls: calls.map((block) => ({ name: block.name, args: block.input })) };
}

export async function in_header({ model, value, ...options }) {
  const headers = { "X-Client-Request-Id": value, "X-Other": value };
  return summary(await client(options).messages.create(turn(model, "Hello"), { headers }));
}
