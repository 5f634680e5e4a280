"""OpenAI's Python client, asynchronous: Chat Completions."""

import asyncio
import time
from functools import partial

import openai

from openai_client import call_by, result_by, summary, turn
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


call = partial(call_by, whole)
result = partial(result_by, whole)


def abort(model, text, after, **options):
    pieces = []

    async def ask():
        async with client(**options) as made:
            async for chunk in await made.chat.completions.create(**turn(model, text), stream=True):
                if chunk.choices[0].delta.content:
                    pieces.append(chunk)

    return cancelled(ask, pieces, after)
