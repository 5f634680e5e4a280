"""httpx."""

import time

import httpx


def send(method, url, headers=None, body=None, times=1):
    content = None if body is None else (body * times).encode()
    answer = httpx.request(method, url, headers=headers, content=content, timeout=20)
    return {"status": answer.status_code, "text": answer.text}


def twice(url):
    with httpx.Client(timeout=20) as client:
        return [client.get(url).status_code for _ in range(2)]


def slow(url):
    begun, times, said = time.monotonic(), [], b""
    with httpx.stream("GET", url, timeout=20) as answer:
        for piece in answer.iter_bytes():
            times.append(time.monotonic() - begun)
            said += piece
    return {"text": said.decode(), "first": times[0], "last": times[-1]}
