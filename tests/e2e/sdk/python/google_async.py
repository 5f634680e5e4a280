"""Google's Python client, asynchronous."""

import asyncio
import time

from google.genai import types

from google_client import BY_HAND, OPEN, TOOL, client, summary
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


def call(model, text, streams, **options):
    contents = [types.Content(role="user", parts=[types.Part(text=text)])]
    first = whole(model, contents, streams, {"tools": [TOOL]}, **options).candidates[0]
    made = next(part.function_call for part in first.content.parts if part.function_call)
    OPEN.update(model=model, contents=[*contents, first.content], call=made)
    return {"id": made.id, "name": made.name, "args": made.args, "stop": first.finish_reason.value}


def result(words, streams, **options):
    made = OPEN["call"]
    response = types.FunctionResponse(id=made.id, name=made.name, response={"result": words})
    OPEN["contents"].append(types.Content(role="user", parts=[types.Part(function_response=response)]))
    return summary(whole(OPEN["model"], OPEN["contents"], streams, {"tools": [TOOL]}, **options))


def abort(model, text, after, **options):
    pieces = []

    async def ask():
        made = client(**options).aio
        async for chunk in await made.models.generate_content_stream(model=model, contents=text):
            pieces.append(chunk)

    return cancelled(ask, pieces, after)
