"""Anthropic's Python client: Messages, count_tokens, files, models."""

import time
from functools import partial

import anthropic

TOOL = {
    "name": "weather",
    "description": "Tells the weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


# A call and what it was an answer to, until its result comes.
OPEN = {}


def client(retries=0, timeout=20.0, token=None):
    # The address and, mostly, the token stand in the environment.
    return anthropic.Anthropic(max_retries=retries, timeout=timeout, **({"api_key": token} if token else {}))


def summary(message):
    return {
        "text": "".join(block.text for block in message.content if block.type == "text"),
        "stop": message.stop_reason,
        "input": message.usage.input_tokens,
        "output": message.usage.output_tokens,
        "request": getattr(message, "_request_id", None),
    }


def turn(model, content, **more):
    return {"model": model, "max_tokens": 256, "messages": [{"role": "user", "content": content}], **more}


def whole(request, streams, **options):
    if not streams:
        return client(**options).messages.create(**request)
    with client(**options).messages.stream(**request) as events:
        return events.get_final_message()


def plain(model, text, **options):
    begun = time.monotonic()
    answer = summary(client(**options).messages.create(**turn(model, text)))
    return {**answer, "seconds": time.monotonic() - begun}


def stream(model, text, **options):
    with client(**options).messages.stream(**turn(model, text)) as events:
        pieces = list(events.text_stream)
        message = events.get_final_message()
    answer = summary(message)
    assert "".join(pieces) == answer["text"], pieces
    return {**answer, "pieces": len(pieces)}


def raw_stream(model, text, **options):
    """Without the helper that puts the message together."""
    kinds, said = [], ""
    for event in client(**options).messages.create(**turn(model, text), stream=True):
        kinds.append(event.type)
        if event.type == "content_block_delta":
            said += event.delta.text
    return {"text": said, "kinds": sorted(set(kinds))}


def call_by(whole, model, text, streams, **options):
    request = turn(model, text, tools=[TOOL])
    first = whole(request, streams, **options)
    block = next(block for block in first.content if block.type == "tool_use")
    request["messages"].append({"role": "assistant", "content": first.content})
    OPEN.update(request=request, id=block.id)
    return {"id": block.id, "name": block.name, "args": block.input, "stop": first.stop_reason}


def result_by(whole, words, streams, **options):
    block = {"type": "tool_result", "tool_use_id": OPEN["id"], "content": words}
    OPEN["request"]["messages"].append({"role": "user", "content": [block]})
    return summary(whole(OPEN["request"], streams, **options))


call = partial(call_by, whole)
result = partial(result_by, whole)


def image(model, text, data, **options):
    source = {"type": "base64", "media_type": "image/png", "data": data}
    return summary(whole(turn(model, [{"type": "image", "source": source}, {"type": "text", "text": text}]), False, **options))


def document(model, text, words, **options):
    source = {"type": "text", "media_type": "text/plain", "data": words}
    block = {"type": "document", "source": source, "title": "notes.txt"}
    return summary(whole(turn(model, [block, {"type": "text", "text": text}]), False, **options))


def upload(name, words, **options):
    made = client(**options).files.upload(file=(name, words.encode(), "text/plain"))
    return {"id": made.id, "name": made.filename}


def count(model, text, **options):
    return client(**options).messages.count_tokens(model=model, messages=[{"role": "user", "content": text}]).input_tokens


def models(**options):
    return [model.id for model in client(**options).models.list()]


def one_model(model, **options):
    return client(**options).models.retrieve(model).id


def abort(model, text, after, **options):
    pieces = []
    with client(**options).messages.stream(**turn(model, text)) as events:
        for piece in events.text_stream:
            pieces.append(piece)
            if len(pieces) == after:
                break
    return {"pieces": len(pieces)}


def unknown(**options):
    """An address that the gateway does not serve."""
    return client(**options).messages.batches.list().data


def everywhere(model, value, id, streams, told, **options):
    """`value` in every field of a request that holds text; `told`: that the other API can say, too."""
    tool = {
        "name": "weather",
        "description": f"Tells {value}.",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string", "enum": ["Wien", value]}}},
    }
    call = {"type": "tool_use", "id": id, "name": "weather", "input": {"city": value, value: [{"deep": value}]}}
    result = {"type": "tool_result", "tool_use_id": id, "content": [{"type": "text", "text": f"It is {value}"}]}
    source = {"type": "text", "media_type": "text/plain", "data": f"In a file: {value}"}
    request = {
        "model": model,
        "max_tokens": 256,
        "system": [{"type": "text", "text": f"You know {value}", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": f"I say {value}"},
            {"role": "assistant", "content": [{"type": "text", "text": f"You said {value}"}, call]},
            {"role": "user", "content": [result, {"type": "document", "source": source, "title": value, "context": value}]},
        ],
        "tools": [tool],
        "stop_sequences": [value],
        "metadata": {"user_id": value},
        "extra_body": {"x_unknown": {value: value}},
    }
    if told:
        request["messages"][2]["content"].pop()
        del request["extra_body"]
    answer = summary(message := whole(request, streams, **options))
    calls = [{"name": block.name, "args": block.input} for block in message.content if block.type == "tool_use"]
    return {**answer, "calls": calls}


def in_header(model, value, **options):
    headers = {"X-Client-Request-Id": value, "X-Other": value}
    return summary(client(**options).messages.create(**turn(model, "Hello"), extra_headers=headers))
