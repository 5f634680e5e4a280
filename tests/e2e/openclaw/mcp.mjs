// A tool server of the Model Context Protocol over standard input and output: one tool, `note` or as it is told to call it, which
// notes what it is told.

import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [, , noted, name = "note"] = process.argv;
const tool = {
  name,
  description: "Notes a line",
  inputSchema: { type: "object", properties: { line: { type: "string" } } },
};

const answers = {
  initialize: ({ protocolVersion }) => ({ protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "probe", version: "1" } }),
  ping: () => ({}),
  "tools/list": () => ({ tools: [tool] }),
  "tools/call": ({ arguments: given }) => {
    const line = given.line ?? JSON.stringify(given);
    appendFileSync(noted, `${line}\n`);
    return { content: [{ type: "text", text: `noted: ${line}` }] };
  },
};

createInterface({ input: process.stdin }).on("line", (text) => {
  const { id, method, params } = JSON.parse(text);
  if (id === undefined) return;
  const answer = answers[method];
  const said = answer ? { result: answer(params ?? {}) } : { error: { code: -32601, message: "no such method" } };
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, ...said })}\n`);
});
