// The official MCP clients for Node, the one of today and the one before: does what it is asked for, and tells what it saw.
//
// A line of JSON in: {"do": "list"} or {"do": "call", "tool", "args", "progress", "leave"}; a line out: {"saw"} or {"raised"}.

import { createInterface } from "node:readline";

const [kind, era] = process.argv.slice(2);
const { Client, Stdio, Http, mode } =
  era === "legacy"
    ? {
        Client: (await import("@modelcontextprotocol/sdk/client/index.js")).Client,
        Stdio: (await import("@modelcontextprotocol/sdk/client/stdio.js")).StdioClientTransport,
        Http: (await import("@modelcontextprotocol/sdk/client/streamableHttp.js")).StreamableHTTPClientTransport,
        mode: {},
      }
    : {
        Client: (await import("@modelcontextprotocol/client")).Client,
        Stdio: (await import("@modelcontextprotocol/client/stdio")).StdioClientTransport,
        Http: (await import("@modelcontextprotocol/client")).StreamableHTTPClientTransport,
        mode: { versionNegotiation: { mode: "auto" } },
      };

function transport() {
  if (kind === "stdio") {
    const [command, ...args] = JSON.parse(process.env.MCP_COMMAND);
    const { WARDKEEP_AGENT_TOKEN, WARDKEEP_HOOK_SOCKET } = process.env;
    return new Stdio({ command, args, env: { WARDKEEP_AGENT_TOKEN, WARDKEEP_HOOK_SOCKET } });
  }
  const headers = { authorization: `Bearer ${process.env.WARDKEEP_AGENT_TOKEN}`, "wardkeep-wait": process.env.MCP_WAIT };
  return new Http(new URL(process.env.MCP_URL), { requestInit: { headers } });
}

async function call(client, { tool, args, progress, leave }) {
  const told = [];
  const hangUp = new AbortController();
  const options = { signal: hangUp.signal, timeout: 60_000 };
  if (progress) {
    options.onprogress = ({ message }) => {
      told.push(message);
      if (leave) hangUp.abort("the test leaves");
    };
  }
  try {
    const request = { name: tool, arguments: args };
    const result = era === "legacy" ? await client.callTool(request, undefined, options) : await client.callTool(request, options);
    const text = result.content.map((part) => part.text).join("");
    return { text, failed: result.isError === true, structured: result.structuredContent ?? null, progress: told };
  } catch (error) {
    if (hangUp.signal.aborted) return { left: true, progress: told };
    throw error;
  }
}

const client = new Client({ name: "wardkeep-e2e", version: "1.0.0" }, mode);
await client.connect(transport());
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  let told;
  try {
    if (asked.do === "list") {
      const { tools } = await client.listTools();
      const version = client.getNegotiatedProtocolVersion?.() ?? "legacy";
      told = { saw: { names: tools.map((tool) => tool.name), version } };
    } else {
      told = { saw: await call(client, asked) };
    }
  } catch (error) {
    console.error(error);
    told = { raised: `${error.name}: ${error.message}` };
  }
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
process.exit(0);
