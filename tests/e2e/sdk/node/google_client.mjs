// Google's client for Node: generateContent, countTokens, embeddings, models.

import { GoogleGenAI } from "@google/genai";

const TOOL = {
  functionDeclarations: [
    {
      name: "weather",
      description: "Tells the weather of a city.",
      parameters: { type: "OBJECT", properties: { city: { type: "STRING" } }, required: ["city"] },
    },
  ],
};

// The address and, mostly, the token stand in the environment.
const client = ({ retries = 0, timeout = 20, token }) =>
  new GoogleGenAI({
    apiKey: token ?? process.env.GEMINI_API_KEY,
    httpOptions: { timeout: timeout * 1000, retryOptions: { attempts: retries + 1, initialDelay: 0.1, jitter: 0 } },
  });

const summary = (response) => ({
  text: response.candidates[0].content.parts.map((part) => part.text ?? "").join(""),
  stop: response.candidates[0].finishReason,
  input: response.usageMetadata.promptTokenCount,
  output: response.usageMetadata.candidatesTokenCount,
});

async function whole(model, contents, streams, config, options) {
  const request = { model, contents, config };
  if (!streams) return client(options).models.generateContent(request);
  const parts = [];
  let last;
  for await (last of await client(options).models.generateContentStream(request)) {
    parts.push(...last.candidates[0].content.parts.filter((part) => part.text || part.functionCall));
  }
  last.candidates[0].content.parts = parts;
  return last;
}

export async function plain({ model, text, ...options }) {
  const begun = performance.now();
  const answer = summary(await whole(model, text, false, {}, options));
  return { ...answer, seconds: (performance.now() - begun) / 1000 };
}

export async function stream({ model, text, ...options }) {
  const pieces = [];
  let last;
  for await (last of await client(options).models.generateContentStream({ model, contents: text })) {
    pieces.push(last.text ?? "");
  }
  return { ...summary(last), text: pieces.join(""), pieces: pieces.length };
}

// A call and what it was an answer to, until its result comes.
let open;

export async function call({ model, text, streams, ...options }) {
  const contents = [{ role: "user", parts: [{ text }] }];
  const first = (await whole(model, contents, streams, { tools: [TOOL] }, options)).candidates[0];
  const { id, name, args } = first.content.parts.find((part) => part.functionCall).functionCall;
  open = { model, contents: [...contents, first.content], id, name };
  return { id, name, args, stop: first.finishReason };
}

export async function result({ words, streams, ...options }) {
  const { model, contents, id, name } = open;
  contents.push({ role: "user", parts: [{ functionResponse: { id, name, response: { result: words } } }] });
  return summary(await whole(model, contents, streams, { tools: [TOOL] }, options));
}

export async function image({ model, text, data, ...options }) {
  const parts = [{ inlineData: { data, mimeType: "image/png" } }, { text }];
  return summary(await whole(model, [{ role: "user", parts }], false, {}, options));
}

export async function document({ model, text, words, ...options }) {
  const data = Buffer.from(words).toString("base64");
  const parts = [{ inlineData: { data, mimeType: "text/plain" } }, { text }];
  return summary(await whole(model, [{ role: "user", parts }], false, {}, options));
}

export async function upload({ name, words, ...options }) {
  const config = { mimeType: "text/plain", displayName: name };
  const made = await client(options).files.upload({ file: new Blob([words], { type: "text/plain" }), config });
  return { id: made.name, name: made.displayName };
}

export async function count({ model, text, ...options }) {
  return (await client(options).models.countTokens({ model, contents: text })).totalTokens;
}

export async function embed({ model, texts, ...options }) {
  const made = await client(options).models.embedContent({ model, contents: texts });
  return { usual: made.embeddings.map((one) => one.values) };
}

export async function models(options) {
  const all = [];
  for await (const model of await client(options).models.list()) all.push(model.name.replace(/^models\//, ""));
  return all;
}

export async function one_model({ model, ...options }) {
  return (await client(options).models.get({ model })).name.replace(/^models\//, "");
}

export async function abort({ model, text, after, ...options }) {
  const controller = new AbortController();
  let pieces = 0;
  const config = { abortSignal: controller.signal };
  try {
    for await (const _ of await client(options).models.generateContentStream({ model, contents: text, config })) {
      if (++pieces === after) controller.abort();
    }
  } catch (error) {
    if (pieces < after || !/abort/i.test(`${error}`)) throw error;
  }
  return { pieces };
}

// An address that the gateway does not serve.
export async function unknown(options) {
  const all = [];
  for await (const one of await client(options).caches.list()) all.push(one);
  return all;
}

// `value` in every field of a request that holds text; `told`: that the other API can say, too.
export async function everywhere({ model, value, id, streams, told, ...options }) {
  const schema = { type: "OBJECT", properties: { city: { type: "STRING", enum: ["Wien", value] } } };
  const declared = { name: "weather", description: `Tells ${value}.`, parameters: schema };
  const call = { id, name: "weather", args: { city: value, [value]: [{ deep: value }] } };
  const result = { id, name: "weather", response: { result: `It is ${value}` } };
  const file = { data: Buffer.from(`In a file: ${value}`).toString("base64"), mimeType: "text/plain" };
  const contents = [
    { role: "user", parts: [{ text: `I say ${value}` }] },
    { role: "model", parts: [{ text: `You said ${value}` }, { functionCall: call }] },
    { role: "user", parts: [{ functionResponse: result }, { inlineData: file }] },
  ];
  const config = {
    systemInstruction: `You know ${value}`,
    tools: [{ functionDeclarations: [declared] }],
    stopSequences: [value],
    httpOptions: { extraBody: { x_unknown: { [value]: value } } },
  };
  const response = await whole(model, contents, streams, config, options);
  const calls = response.candidates[0].content.parts.filter((part) => part.functionCall);
  const named = calls.map(({ functionCall }) => ({ name: functionCall.name, args: functionCall.args }));
  return { ...summary(response), calls: named };
}

export async function in_header({ model, value, ...options }) {
  const headers = { "X-Client-Request-Id": value, "X-Other": value };
  return summary(await whole(model, "Hello", false, { httpOptions: { headers } }, options));
}
