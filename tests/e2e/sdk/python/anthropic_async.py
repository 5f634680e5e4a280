"""Anthropic's Python client, asynchronous."""

import asyncio
import time
from functools import partial

import anthropic

from anthropic_client import call_by, result_by, summary, turn
from leaving import cancelled


def client(retries=0, timeout=20.0, token=None):
    return anthropic.AsyncAnthropic(max_retries=retries, timeout=timeout, **({"api_key": token} if token else {}))


def whole(request, streams, **options):
    async def ask():
        async with client(**options) as made:
            if not streams:
                return await made.messages.create(**request)
            async with made.messages.stream(**request) as events:
                return await events.get_final_message()

    return asyncio.run(ask())


def plain(model, text, **options):
    begun = time.monotonic()
    answer = summary(whole(turn(model, text), False, **options))
    return {**answer, "seconds": time.monotonic() - begun}


def stream(model, text, **options):
    async def ask():
        pieces = []
        async with client(**options) as made, made.messages.stream(**turn(model, text)) as events:
            async for piece in events.text_stream:
                pieces.append(piece)
            return pieces, await events.get_final_message()

    pieces, message = asyncio.run(ask())
    answer = summary(message)
    assert "".join(pieces) == answer["text"], pieces
    return {**answer, "pieces": len(pieces)}


call = partial(call_by, whole)
result = partial(result_by, whole)


def abort(model, text, after, **options):
    pieces = []

    async def ask():
        async with client(**options) as made, made.messages.stream(**turn(model, text)) as events:
            async for piece in events.text_stream:
                pieces.append(piece)

    return cancelled(ask, pieces, after)
