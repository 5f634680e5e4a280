"""Google's Python client: generateContent, countTokens, embeddings, models."""

import base64
import io
import time
from functools import partial

from google import genai
from google.genai import types

TOOL = {
    "function_declarations": [
        {
            "name": "weather",
            "description": "Tells the weather of a city.",
            "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]},
        }
    ]
}
# Retries and timeouts as an operator would set them; the client's own functions are called by nobody but us.
BY_HAND = {"automatic_function_calling": {"disable": True}}


# A call and what it was an answer to, until its result comes.
OPEN = {}
# A client closes its connections when nobody holds it any more, even while a call of it is under way.
HELD = []


def client(retries=0, timeout=20.0, token=None):
    # The address and, mostly, the token stand in the environment.
    retry = types.HttpRetryOptions(attempts=retries + 1, initial_delay=0.1, jitter=0.0)
    http = types.HttpOptions(timeout=int(timeout * 1000), retry_options=retry)
    HELD.append(genai.Client(http_options=http, **({"api_key": token} if token else {})))
    return HELD[-1]


def summary(response):
    usage = response.usage_metadata
    return {
        "text": "".join(part.text or "" for part in response.candidates[0].content.parts),
        "stop": response.candidates[0].finish_reason.value,
        "input": usage.prompt_token_count,
        "output": usage.candidates_token_count,
    }


def whole(model, contents, streams, config=None, **options):
    config = {**BY_HAND, **(config or {})}
    if not streams:
        return client(**options).models.generate_content(model=model, contents=contents, config=config)
    made = client(**options)
    chunks = list(made.models.generate_content_stream(model=model, contents=contents, config=config))
    last = chunks[-1]
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts if part.text or part.function_call]
    last.candidates[0].content.parts = parts
    return last


def plain(model, text, **options):
    begun = time.monotonic()
    answer = summary(whole(model, text, False, **options))
    return {**answer, "seconds": time.monotonic() - begun}


def stream(model, text, **options):
    made = client(**options)
    pieces, last = [], None
    for last in made.models.generate_content_stream(model=model, contents=text):
        pieces.append(last.text or "")
    return {**summary(last), "text": "".join(pieces), "pieces": len(pieces)}


def call_by(whole, model, text, streams, **options):
    contents = [types.Content(role="user", parts=[types.Part(text=text)])]
    first = whole(model, contents, streams, {"tools": [TOOL]}, **options).candidates[0]
    made = next(part.function_call for part in first.content.parts if part.function_call)
    OPEN.update(model=model, contents=[*contents, first.content], call=made)
    return {"id": made.id, "name": made.name, "args": made.args, "stop": first.finish_reason.value}


def result_by(whole, words, streams, **options):
    made = OPEN["call"]
    response = types.FunctionResponse(id=made.id, name=made.name, response={"result": words})
    OPEN["contents"].append(types.Content(role="user", parts=[types.Part(function_response=response)]))
    return summary(whole(OPEN["model"], OPEN["contents"], streams, {"tools": [TOOL]}, **options))


call = partial(call_by, whole)
result = partial(result_by, whole)


def image(model, text, data, **options):
    parts = [types.Part.from_bytes(data=base64.b64decode(data), mime_type="image/png"), types.Part(text=text)]
    return summary(whole(model, parts, False, **options))


def document(model, text, words, **options):
    parts = [types.Part.from_bytes(data=words.encode(), mime_type="text/plain"), types.Part(text=text)]
    return summary(whole(model, parts, False, **options))


def upload(name, words, **options):
    config = {"mime_type": "text/plain", "display_name": name}
    made = client(**options).files.upload(file=io.BytesIO(words.encode()), config=config)
    return {"id": made.name, "name": made.display_name}


def count(model, text, **options):
    return client(**options).models.count_tokens(model=model, contents=text).total_tokens


def embed(model, texts, **options):
    made = client(**options).models.embed_content(model=model, contents=texts)
    return {"usual": [one.values for one in made.embeddings]}


def models(**options):
    made = client(**options)
    return [model.name.removeprefix("models/") for model in made.models.list()]


def one_model(model, **options):
    return client(**options).models.get(model=model).name.removeprefix("models/")


def abort(model, text, after, **options):
    made = client(**options)
    pieces = 0
    chunks = made.models.generate_content_stream(model=model, contents=text)
    for _ in chunks:
        pieces += 1
        if pieces == after:
            break
    chunks.close()
    made.close()
    return {"pieces": pieces}


def unknown(**options):
    """An address that the gateway does not serve."""
    return list(client(**options).caches.list())


def everywhere(model, value, id, streams, told, **options):
    """`value` in every field of a request that holds text; `told`: that the other API can say, too."""
    schema = {"type": "OBJECT", "properties": {"city": {"type": "STRING", "enum": ["Wien", value]}}}
    declared = {"name": "weather", "description": f"Tells {value}.", "parameters": schema}
    call = types.FunctionCall(id=id, name="weather", args={"city": value, value: [{"deep": value}]})
    result = types.FunctionResponse(id=id, name="weather", response={"result": f"It is {value}"})
    contents = [
        types.Content(role="user", parts=[types.Part(text=f"I say {value}")]),
        types.Content(role="model", parts=[types.Part(text=f"You said {value}"), types.Part(function_call=call)]),
        types.Content(role="user", parts=[
            types.Part(function_response=result),
            types.Part.from_bytes(data=f"In a file: {value}".encode(), mime_type="text/plain"),
        ]),
    ]
    config = {
        "system_instruction": f"You know {value}",
        "tools": [{"function_declarations": [declared]}],
        "stop_sequences": [value],
        "http_options": {"extra_body": {"x_unknown": {value: value}}},
    }
    answer = summary(response := whole(model, contents, streams, config, **options))
    calls = [part.function_call for part in response.candidates[0].content.parts if part.function_call]
    return {**answer, "calls": [{"name": call.name, "args": call.args} for call in calls]}


def in_header(model, value, **options):
    headers = {"X-Client-Request-Id": value, "X-Other": value}
    return summary(whole(model, "Hello", False, {"http_options": {"headers": headers}}, **options))
