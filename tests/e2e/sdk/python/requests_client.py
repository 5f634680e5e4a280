"""requests, the way most Python programs speak HTTP."""

import time

import requests


def send(method, url, headers=None, body=None, times=1):
    data = None if body is None else (body * times).encode()
    answer = requests.request(method, url, headers=headers, data=data, timeout=20)
    return {"status": answer.status_code, "text": answer.text}


def twice(url):
    with requests.Session() as session:
        return [session.get(url, timeout=20).status_code for _ in range(2)]


def slow(url):
    begun, times, said = time.monotonic(), [], b""
    with requests.get(url, stream=True, timeout=20) as answer:
        for piece in answer.iter_content(chunk_size=None):
            times.append(time.monotonic() - begun)
            said += piece
    return {"text": said.decode(), "first": times[0], "last": times[-1]}
