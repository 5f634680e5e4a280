"""OpenAI's Python client: Responses."""

import base64
import json
import time

from openai_client import OPEN, client, models, one_model, upload, unknown

TOOL = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False},
    "strict": True,
}


def summary(response):
    return {
        "text": response.output_text,
        "stop": response.status,
        "input": response.usage.input_tokens if response.usage else None,
        "output": response.usage.output_tokens if response.usage else None,
        "request": getattr(response, "_request_id", None),
    }


def turn(model, content, **more):
    return {"model": model, "input": [{"role": "user", "content": content}], "store": False, **more}


def whole(request, streams, **options):
    if not streams:
        return client(**options).responses.create(**request)
    with client(**options).responses.stream(**request) as events:
        for _ in events:
            pass
        return events.get_final_response()


def plain(model, text, **options):
    begun = time.monotonic()
    answer = summary(client(**options).responses.create(model=model, input=text))
    return {**answer, "seconds": time.monotonic() - begun}


def stream(model, text, **options):
    with client(**options).responses.stream(**turn(model, text)) as events:
        pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
        response = events.get_final_response()
    answer = summary(response)
    assert "".join(pieces) == answer["text"], pieces
    return {**answer, "pieces": len(pieces)}


def raw_stream(model, text, **options):
    said, kinds, number, error = "", set(), 0, None
    for event in client(**options).responses.create(**turn(model, text), stream=True):
        kinds.add(event.type)
        if event.type == "error":
            # It is an event to this client, and what follows has no number.
            error = event.message
            continue
        assert event.sequence_number == number, event
        number += 1
        if event.type == "response.output_text.delta":
            said += event.delta
    return {"text": said, "kinds": sorted(kinds), "error": error}


def call(model, text, streams, **options):
    request = turn(model, text, tools=[TOOL])
    first = whole(request, streams, **options)
    made = next(item for item in first.output if item.type == "function_call")
    said = [item.to_dict() for item in first.output]
    for item in said:
        # What the client's helper adds for its caller.
        item.pop("parsed_arguments", None)
        for part in item.get("content") or []:
            part.pop("parsed", None)
    request["input"] += said
    OPEN.update(request=request, id=made.call_id)
    return {"id": made.call_id, "name": made.name, "args": json.loads(made.arguments), "stop": first.status}


def result(words, streams, **options):
    OPEN["request"]["input"].append({"type": "function_call_output", "call_id": OPEN["id"], "output": words})
    return summary(whole(OPEN["request"], streams, **options))


def image(model, text, data, **options):
    part = {"type": "input_image", "image_url": f"data:image/png;base64,{data}", "detail": "auto"}
    return summary(whole(turn(model, [part, {"type": "input_text", "text": text}]), False, **options))


def document(model, text, words, **options):
    data = f"data:text/plain;base64,{base64.b64encode(words.encode()).decode()}"
    part = {"type": "input_file", "filename": "notes.txt", "file_data": data}
    return summary(whole(turn(model, [part, {"type": "input_text", "text": text}]), False, **options))


def abort(model, text, after, **options):
    pieces = 0
    with client(**options).responses.create(**turn(model, text), stream=True) as events:
        for event in events:
            pieces += event.type == "response.output_text.delta"
            if pieces == after:
                break
    return {"pieces": pieces}


def everywhere(model, value, id, streams, told, **options):
    """`value` in every field of a request that holds text; `told`: that the other API can say, too."""
    schema = {"type": "object", "properties": {"city": {"type": "string", "enum": ["Wien", value]}}}
    arguments = json.dumps({"city": value, value: [{"deep": value}]})
    data = f"data:text/plain;base64,{base64.b64encode(f'In a file: {value}'.encode()).decode()}"
    said = {"type": "output_text", "text": f"You said {value}", "annotations": []}
    request = {
        "model": model,
        "instructions": f"You know {value}",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": f"I say {value}"}]},
            {"role": "user", "content": [{"type": "input_file", "filename": "notes.txt", "file_data": data}]},
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [said]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": f"I think {value}"}]},
            {"type": "function_call", "call_id": id, "name": "weather", "arguments": arguments},
            {"type": "function_call_output", "call_id": id, "output": f"It is {value}"},
        ],
        "tools": [{"type": "function", "name": "weather", "description": f"Tells {value}.", "parameters": schema, "strict": False}],
        "metadata": {"who": value, value: "x"},
        "user": value,
        "store": False,
        "extra_body": {"x_unknown": {value: value}},
    }
    answer = summary(response := whole(request, streams, **options))
    calls = [item for item in response.output if item.type == "function_call"]
    return {**answer, "calls": [{"name": call.name, "args": json.loads(call.arguments)} for call in calls]}


def in_header(model, value, **options):
    headers = {"X-Client-Request-Id": value, "X-Other": value}
    return summary(client(**options).responses.create(**turn(model, "Hello"), extra_headers=headers))
