"""OpenAI's Python client: Chat Completions, embeddings, files, models."""

import json
import time
from functools import partial

import openai

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


# A call and what it was an answer to, until its result comes.
OPEN = {}


def client(retries=0, timeout=20.0, token=None):
    # The address and, mostly, the token stand in the environment.
    return openai.OpenAI(max_retries=retries, timeout=timeout, **({"api_key": token} if token else {}))


def summary(completion):
    choice = completion.choices[0]
    return {
        "text": choice.message.content or "",
        "stop": choice.finish_reason,
        "input": completion.usage.prompt_tokens if completion.usage else None,
        "output": completion.usage.completion_tokens if completion.usage else None,
        "request": getattr(completion, "_request_id", None),
    }


def turn(model, content, **more):
    return {"model": model, "messages": [{"role": "user", "content": content}], **more}


def whole(request, streams, **options):
    if not streams:
        return client(**options).chat.completions.create(**request)
    with client(**options).chat.completions.stream(**request, stream_options={"include_usage": True}) as events:
        for _ in events:
            pass
        return events.get_final_completion()


def plain(model, text, **options):
    begun = time.monotonic()
    answer = summary(client(**options).chat.completions.create(**turn(model, text)))
    return {**answer, "seconds": time.monotonic() - begun}


def stream(model, text, **options):
    pieces = []
    request = turn(model, text, stream_options={"include_usage": True})
    with client(**options).chat.completions.stream(**request) as events:
        pieces = [event.delta for event in events if event.type == "content.delta"]
        completion = events.get_final_completion()
    answer = summary(completion)
    assert "".join(pieces) == answer["text"], pieces
    return {**answer, "pieces": len(pieces)}


def raw_stream(model, text, **options):
    """Nobody asked for the usage: each chunk has a choice, as most programs take for granted."""
    said, kinds = "", set()
    for chunk in client(**options).chat.completions.create(**turn(model, text), stream=True):
        said += chunk.choices[0].delta.content or ""
        kinds.add(chunk.object)
        assert chunk.usage is None, chunk
    return {"text": said, "kinds": sorted(kinds)}


def call_by(whole, model, text, streams, **options):
    request = turn(model, text, tools=[TOOL])
    first = whole(request, streams, **options).choices[0]
    made = first.message.tool_calls[0]
    function = {"name": made.function.name, "arguments": made.function.arguments}
    said = {"role": "assistant", "content": first.message.content}
    request["messages"].append({**said, "tool_calls": [{"id": made.id, "type": "function", "function": function}]})
    OPEN.update(request=request, id=made.id)
    args = json.loads(made.function.arguments)
    return {"id": made.id, "name": made.function.name, "args": args, "stop": first.finish_reason}


def result_by(whole, words, streams, **options):
    OPEN["request"]["messages"].append({"role": "tool", "tool_call_id": OPEN["id"], "content": words})
    return summary(whole(OPEN["request"], streams, **options))


call = partial(call_by, whole)
result = partial(result_by, whole)


def image(model, text, data, **options):
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    return summary(whole(turn(model, [part, {"type": "text", "text": text}]), False, **options))


def document(model, text, words, **options):
    import base64

    data = f"data:text/plain;base64,{base64.b64encode(words.encode()).decode()}"
    part = {"type": "file", "file": {"filename": "notes.txt", "file_data": data}}
    return summary(whole(turn(model, [part, {"type": "text", "text": text}]), False, **options))


def upload(name, words, **options):
    made = client(**options).files.create(file=(name, words.encode()), purpose="user_data")
    return {"id": made.id, "name": made.filename}


def embed(model, texts, **options):
    """As the client asks by itself (base64), and as lists of numbers."""
    usual = client(**options).embeddings.create(model=model, input=texts)
    listed = client(**options).embeddings.create(model=model, input=texts, encoding_format="float")
    return {"usual": [one.embedding for one in usual.data], "listed": [one.embedding for one in listed.data]}


def models(**options):
    return [model.id for model in client(**options).models.list()]


def one_model(model, **options):
    return client(**options).models.retrieve(model).id


def abort(model, text, after, **options):
    pieces = 0
    with client(**options).chat.completions.create(**turn(model, text), stream=True) as chunks:
        for chunk in chunks:
            pieces += bool(chunk.choices[0].delta.content)
            if pieces == after:
                break
    return {"pieces": pieces}


def unknown(**options):
    """An address that the gateway does not serve."""
    return client(**options).batches.list().data


def everywhere(model, value, id, streams, told, **options):
    """`value` in every field of a request that holds text; `told`: that the other API can say, too."""
    schema = {"type": "object", "properties": {"city": {"type": "string", "enum": ["Wien", value]}}}
    arguments = json.dumps({"city": value, value: [{"deep": value}]})
    call = {"id": id, "type": "function", "function": {"name": "weather", "arguments": arguments}}
    request = {
        "model": model,
        "messages": [
            {"role": "system", "content": f"You know {value}"},
            {"role": "user", "content": [{"type": "text", "text": f"I say {value}"}], "name": "somebody"},
            {"role": "assistant", "content": f"You said {value}", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": id, "content": f"It is {value}"},
            {"role": "user", "content": f"And {value}"},
        ],
        "tools": [{"type": "function", "function": {"name": "weather", "description": f"Tells {value}.", "parameters": schema}}],
        "stop": [value],
        "metadata": {"who": value, value: "x"},
        "user": value,
        "extra_body": {"x_unknown": {value: value}},
    }
    if told:
        del request["messages"][1]["name"], request["extra_body"]
    answer = summary(completion := whole(request, streams, **options))
    calls = completion.choices[0].message.tool_calls or []
    calls = [{"name": call.function.name, "args": json.loads(call.function.arguments)} for call in calls]
    return {**answer, "calls": calls}


def in_header(model, value, **options):
    headers = {"X-Client-Request-Id": value, "X-Other": value}
    return summary(client(**options).chat.completions.create(**turn(model, "Hello"), extra_headers=headers))
