// OpenAI's client for Node: Responses.

import assert from "node:assert";
import { client } from "./openai_client.mjs";

const TOOL = {
  type: "function",
  name: "weather",
  description: "Tells the weather of a city.",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false },
  strict: true,
};

const summary = (response) => ({
  text: response.output_text,
  stop: response.status,
  input: response.usage?.input_tokens,
  output: response.usage?.output_tokens,
  request: response._request_id,
});

const turn = (model, content, more = {}) => ({ model, input: [{ role: "user", content }], store: false, ...more });

const whole = (request, streams, options) =>
  streams ? client(options).responses.stream(request).finalResponse() : client(options).responses.create(request);

export async function plain({ model, text, ...options }) {
  const begun = performance.now();
  const answer = summary(await client(options).responses.create({ model, input: text }));
  return { ...answer, seconds: (performance.now() - begun) / 1000 };
}

export async function stream({ model, text, ...options }) {
  const pieces = [];
  const events = client(options).responses.stream(turn(model, text));
  events.on("response.output_text.delta", (event) => pieces.push(event.delta));
  const answer = summary(await events.finalResponse());
  assert.equal(pieces.join(""), answer.text);
  return { ...answer, pieces: pieces.length };
}

export async function raw_stream({ model, text, ...options }) {
  const kinds = new Set();
  let [said, number, error] = ["", 0, null];
  for await (const event of await client(options).responses.create({ ...turn(model, text), stream: true })) {
    kinds.add(event.type);
    if (event.type === "error") {
      // Where it is an event among others; what follows has no number.
      error = event.message;
      continue;
    }
    assert.equal(event.sequence_number, number++);
    if (event.type === "response.output_text.delta") said += event.delta;
  }
  return { text: said, kinds: [...kinds], error };
}

// A call and what it was an answer to, until its result comes.
let open;

export async function call({ model, text, streams, ...options }) {
  const request = turn(model, text, { tools: [TOOL] });
  const first = await whole(request, streams, options);
  const made = first.output.find((item) => item.type === "function_call");
  // Without what the client's helper adds for its caller.
  const said = first.output.map(({ parsed_arguments, ...item }) => item);
  for (const item of said) for (const part of item.content ?? []) delete part.parsed;
  request.input.push(...said);
  open = { request, id: made.call_id };
  return { id: made.call_id, name: made.name, args: JSON.parse(made.arguments), stop: first.status };
}

export async function result({ words, streams, ...options }) {
  open.request.input.push({ type: "function_call_output", call_id: open.id, output: words });
  return summary(await whole(open.request, streams, options));
}

export async function image({ model, text, data, ...options }) {
  const part = { type: "input_image", image_url: `data:image/png;base64,${data}`, detail: "auto" };
  return summary(await whole(turn(model, [part, { type: "input_text", text }]), false, options));
}

export async function document({ model, text, words, ...options }) {
  const data = `data:text/plain;base64,${Buffer.from(words).toString("base64")}`;
  const part = { type: "input_file", filename: "notes.txt", file_data: data };
  return summary(await whole(turn(model, [part, { type: "input_text", text }]), false, options));
}

export async function abort({ model, text, after, ...options }) {
  const controller = new AbortController();
  let pieces = 0;
  const request = { ...turn(model, text), stream: true };
  for await (const event of await client(options).responses.create(request, { signal: controller.signal })) {
    if (event.type === "response.output_text.delta" && ++pieces === after) controller.abort();
  }
  return { pieces };
}

// `value` in every field of a request that holds text; `told`: that the other API can say, too.
export async function everywhere({ model, value, id, streams, told, ...options }) {
  const schema = { type: "object", properties: { city: { type: "string", enum: ["Wien", value] } } };
  const args = JSON.stringify({ city: value, [value]: [{ deep: value }] });
  const data = `data:text/plain;base64,${Buffer.from(`In a file: ${value}`).toString("base64")}`;
  const said = { type: "output_text", text: `You said ${value}`, annotations: [] };
  const response = await whole(
    {
      model,
      instructions: `You know ${value}`,
      input: [
        { role: "user", content: [{ type: "input_text", text: `I say ${value}` }] },
        { role: "user", content: [{ type: "input_file", filename: "notes.txt", file_data: data }] },
        { type: "message", id: "msg_1", role: "assistant", status: "completed", content: [said] },
        { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: `I think ${value}` }] },
        { type: "function_call", call_id: id, name: "weather", arguments: args },
        { type: "function_call_output", call_id: id, output: `It is ${value}` },
      ],
      tools: [{ type: "function", name: "weather", description: `Tells ${value}.`, parameters: schema, strict: false }],
      metadata: { who: value, [value]: "x" },
      user: value,
      store: false,
      x_unknown: { [value]: value },
    },
    streams,
    options,
  );
  const calls = response.output.filter((item) => item.type === "function_call");
  return { ...summary(response), calls: calls.map((call) => ({ name: call.name, args: JSON.parse(call.arguments) })) };
}

export async function in_header({ model, value, ...options }) {
  const headers = { "X-Client-Request-Id": value, "X-Other": value };
  return summary(await client(options).responses.create(turn(model, "Hello"), { headers }));
}
