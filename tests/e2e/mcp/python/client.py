"""The official MCP client for Python: does what it is asked for, and tells what it saw.

A line of JSON in: {"do": "list"} or {"do": "call", "tool", "args", "progress", "leave"}; a line out: {"saw"} or {"raised"}.
"""

import asyncio
import json
import os
import sys

import httpx2
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client


def transport(kind):
    if kind == "stdio":
        program, *args = json.loads(os.environ["MCP_COMMAND"])
        passed = {name: os.environ[name] for name in ("WARDKEEP_AGENT_TOKEN", "WARDKEEP_HOOK_SOCKET")}
        return StdioServerParameters(command=program, args=args, env=passed)
    headers = {"authorization": f"Bearer {os.environ['WARDKEEP_AGENT_TOKEN']}", "wardkeep-wait": os.environ["MCP_WAIT"]}
    return streamable_http_client(os.environ["MCP_URL"], http_client=httpx2.AsyncClient(headers=headers, timeout=60))


async def call(client, asked):
    told = []

    async def progress(_done, _total, message):
        told.append(message)
        if asked.get("leave"):
            task.cancel()

    options = {"progress_callback": progress} if asked.get("progress") else {}
    task = asyncio.ensure_future(client.call_tool(asked["tool"], asked["args"], **options))
    try:
        result = await task
    except asyncio.CancelledError:
        return {"left": True, "progress": told}
    text = "".join(part.text for part in result.content)
    return {"text": text, "failed": bool(result.is_error), "structured": result.structured_content, "progress": told}


async def main(kind, era):
    async with Client(transport(kind), mode=era) as client:
        lines = asyncio.StreamReader(limit=2**22)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := await lines.readline():
            asked = json.loads(line)
            try:
                if asked["do"] == "list":
                    tools = (await client.list_tools()).tools
                    saw = {"names": [tool.name for tool in tools], "version": client.protocol_version}
                else:
                    saw = await call(client, asked)
                told = {"saw": saw}
            except Exception as error:  # what the client throws is told
                told = {"raised": f"{type(error).__name__}: {error}"}
            print(json.dumps(told), flush=True)


asyncio.run(main(*sys.argv[1:3]))
