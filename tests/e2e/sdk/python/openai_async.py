"""OpenAI's Python client, asynchronous: Chat Completions."""

import asyncio
import json
import time

import openai

from openai_client import OPEN, TOOL, summary, turn
from leaving import cancelled


def client(retries=0, timeout=20.0, token=None):
    return openai.AsyncOpenAI(max_retries=retries, timeout=timeout, **({"api_key": token} if token else {}))


def whole(request, streams, **options):
    async def ask():
        async with client(**options) as made:
            if not streams:
                return await made.chat.completions.create(**request)
            usage = {"include_usage": True}
            async with made.chat.completions.stream(**request, stream_options=usage) as events:
                return await events.get_final_completion()

    return asyncio.run(ask())


def plain(model, text, **options):
    begun = time.monotonic()
    answer = summary(whole(turn(model, text), False, **options))
    return {**answer, "seconds": time.monotonic() - begun}


def stream(model, text, **options):
    async def ask():
        pieces = []
        request = turn(model, text, stream_options={"include_usage": True})
        async with client(**options) as made, made.chat.completions.stream(**request) as events:
            async for event in events:
                if event.type == "content.delta":
                    pieces.append(event.delta)
            return pieces, await events.get_final_completion()

    pieces, completion = asyncio.run(ask())
    answer = summary(completion)
    assert "".join(pieces) == answer["text"], pieces
    return {**answer, "pieces": len(pieces)}


def call(model, text, streams, **options):
    request = turn(model, text, tools=[TOOL])
    first = whole(request, streams, **options).choices[0]
    made = first.message.tool_calls[0]
    function = {"name": made.function.name, "arguments": made.function.arguments}
    said = {"role": "assistant", "content": first.message.content}
    request["messages"].append({**said, "tool_calls": [{"id": made.id, "type": "function", "function": function}]})
    OPEN.update(request=request, id=made.id)
    args = json.loads(made.function.arguments)
    return {"id": made.id, "name": made.function.name, "args": args, "stop": first.finish_reason}


def result(words, streams, **options):
    OPEN["request"]["messages"].append({"role": "tool", "tool_call_id": OPEN["id"], "content": words})
    return summary(whole(OPEN["request"], streams, **options))


def abort(model, text, after, **options):
    pieces = []

    async def ask():
        async with client(**options) as made:
            async for chunk in await made.chat.completions.create(**turn(model, text), stream=True):
                if chunk.choices[0].delta.content:
                    pieces.append(chunk)

    return cancelled(ask, pieces, after)
