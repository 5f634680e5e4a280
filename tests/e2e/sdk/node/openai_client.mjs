// OpenAI's client for Node: Chat Completions, embeddings, files, models.

import assert from "node:assert";
import OpenAI, { toFile } from "openai";

const TOOL = {
  type: "function",
  function: {
    name: "weather",
    description: "Tells the weather of a city.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

// The address and, mostly, the token stand in the environment.
export const client = ({ retries = 0, timeout = 20, token }) =>
  new OpenAI({ maxRetries: retries, timeout: timeout * 1000, ...(token && { apiKey: token }) });

const summary = (completion) => ({
  text: completion.choices[0].message.content ?? "",
  stop: completion.choices[0].finish_reason,
  input: completion.usage?.prompt_tokens,
  output: completion.usage?.completion_tokens,
  request: completion._request_id,
});

const turn = (model, content, more = {}) => ({ model, messages: [{ role: "user", content }], ...more });

const whole = (request, streams, options) =>
  streams
    ? client(options).chat.completions.stream({ ...request, stream_options: { include_usage: true } }).finalChatCompletion()
    : client(options).chat.completions.create(request);

export async function plain({ model, text, ...options }) {
  const begun = performance.now();
  const answer = summary(await client(options).chat.completions.create(turn(model, text)));
  return { ...answer, seconds: (performance.now() - begun) / 1000 };
}

export async function stream({ model, text, ...options }) {
  const pieces = [];
  const request = turn(model, text, { stream_options: { include_usage: true } });
  const events = client(options).chat.completions.stream(request).on("content", (piece) => pieces.push(piece));
  const answer = summary(await events.finalChatCompletion());
  assert.equal(pieces.join(""), answer.text);
  return { ...answer, pieces: pieces.length };
}

// Nobody asked for the usage: each chunk has a choice, as most programs take for granted.
export async function raw_stream({ model, text, ...options }) {
  const kinds = new Set();
  let said = "";
  for await (const chunk of await client(options).chat.completions.create({ ...turn(model, text), stream: true })) {
    said += chunk.choices[0].delta.content ?? "";
    kinds.add(chunk.object);
    assert.equal(chunk.usage ?? null, null);
  }
  return { text: said, kinds: [...kinds] };
}

// A call and what it was an answer to, until its result comes.
let open;

export async function call({ model, text, streams, ...options }) {
  const request = turn(model, text, { tools: [TOOL] });
  const first = (await whole(request, streams, options)).choices[0];
  const { id, function: made } = first.message.tool_calls[0];
  const said = { name: made.name, arguments: made.arguments };
  request.messages.push({ role: "assistant", content: first.message.content, tool_calls: [{ id, type: "function", function: said }] });
  open = { request, id };
  return { id, name: made.name, args: JSON.parse(made.arguments), stop: first.finish_reason };
}

export async function result({ words, streams, ...options }) {
  open.request.messages.push({ role: "tool", tool_call_id: open.id, content: words });
  return summary(await whole(open.request, streams, options));
}

export async function image({ model, text, data, ...options }) {
  const part = { type: "image_url", image_url: { url: `data:image/png;base64,${data}` } };
  return summary(await whole(turn(model, [part, { type: "text", text }]), false, options));
}

export async function document({ model, text, words, ...options }) {
  const data = `data:text/plain;base64,${Buffer.from(words).toString("base64")}`;
  const part = { type: "file", file: { filename: "notes.txt", file_data: data } };
  return summary(await whole(turn(model, [part, { type: "text", text }]), false, options));
}

export async function upload({ name, words, ...options }) {
  const made = await client(options).files.create({ file: await toFile(Buffer.from(words), name), purpose: "user_data" });
  return { id: made.id, name: made.filename };
}

// As the client asks by itself (base64), and as lists of numbers.
export async function embed({ model, texts, ...options }) {
  const usual = await client(options).embeddings.create({ model, input: texts });
  const listed = await client(options).embeddings.create({ model, input: texts, encoding_format: "float" });
  const numbers = (all) => all.data.map((one) => Array.from(one.embedding));
  return { usual: numbers(usual), listed: numbers(listed) };
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
  const request = { ...turn(model, text), stream: true };
  for await (const chunk of await client(options).chat.completions.create(request, { signal: controller.signal })) {
    if (chunk.choices[0].delta.content && ++pieces === after) controller.abort();
  }
  return { pieces };
}

// An address that the gateway does not serve.
export async function unknown(options) {
  return (await client(options).batches.list()).data;
}

// `value` in every field of a request that holds text; `told`: that the other API can say, too.
export async function everywhere({ model, value, id, streams, told, ...options }) {
  const schema = { type: "object", properties: { city: { type: "string", enum: ["Wien", value] } } };
  const args = JSON.stringify({ city: value, [value]: [{ deep: value }] });
  const call = { id, type: "function", function: { name: "weather", arguments: args } };
  const completion = await whole(
    {
      model,
      messages: [
        { role: "system", content: `You know ${value}` },
        { role: "user", content: [{ type: "text", text: `I say ${value}` }], ...(!told && { name: "somebody" }) },
        { role: "assistant", content: `You said ${value}`, tool_calls: [call] },
        { role: "tool", tool_call_id: id, content: `It is ${value}` },
        { role: "user", content: `And ${value}` },
      ],
      tools: [{ type: "function", function: { name: "weather", description: `Tells ${value}.`, parameters: schema } }],
      stop: [value],
      metadata: { who: value, [value]: "x" },
      user: value,
      ...(!told && { x_unknown: { [value]: value } }),
    },
    streams,
    options,
  );
  const calls = completion.choices[0].message.tool_calls ?? [];
  const named = calls.map((one) => ({ name: one.function.name, args: JSON.parse(one.function.arguments) }));
  return { ...summary(completion), calls: named };
}

export async function in_header({ model, value, ...options }) {
  const headers = { "X-Client-Request-Id": value, "X-Other": value };
  return summary(await client(options).chat.completions.create(turn(model, "Hello"), { headers }));
}
