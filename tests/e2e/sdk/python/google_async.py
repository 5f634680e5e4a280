"""Google's Python client, asynchronous."""

import asyncio
import time
from functools import partial

from google_client import BY_HAND, call_by, client, result_by, summary
from leaving import cancelled


def whole(model, contents, streams, config=None, **options):
    config = {**BY_HAND, **(config or {})}

    async def ask():
        made = client(**options).aio
        if not streams:
            return await made.models.generate_content(model=model, contents=contents, config=config)
        chunks = await made.models.generate_content_stream(model=model, contents=contents, config=config)
        chunks = [chunk async for chunk in chunks]
        last = chunks[-1]
        parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts if part.text or part.function_call]
        last.candidates[0].content.parts = parts
        return last

    return asyncio.run(ask())


def plain(model, text, **options):
    begun = time.monotonic()
    answer = summary(whole(model, text, False, **options))
    return {**answer, "seconds": time.monotonic() - begun}


def stream(model, text, **options):
    async def ask():
        made = client(**options).aio
        return [chunk async for chunk in await made.models.generate_content_stream(model=model, contents=text)]

    chunks = asyncio.run(ask())
    pieces = [chunk.text or "" for chunk in chunks]
    return {**summary(chunks[-1]), "text": "".join(pieces), "pieces": len(pieces)}


call = partial(call_by, whole)
result = partial(result_by, whole)


def abort(model, text, after, **options):
    pieces = []

    async def ask():
        made = client(**options).aio
        async for chunk in await made.models.generate_content_stream(model=model, contents=text):
            pieces.append(chunk)

    return cancelled(ask, pieces, after)
