"""urllib of the standard library, as strict about certificates as Python is from 3.13 on."""

import ssl
import time
import urllib.error
import urllib.request


def opened(method, url, headers=None, data=None):
    context = ssl.create_default_context()
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
    return opener.open(urllib.request.Request(url, method=method, headers=headers or {}, data=data), timeout=20)


def send(method, url, headers=None, body=None, times=1):
    data = None if body is None else (body * times).encode()
    try:
        with opened(method, url, headers, data) as answer:
            return {"status": answer.status, "text": answer.read().decode()}
    except urllib.error.HTTPError as answer:
        return {"status": answer.code, "text": answer.read().decode()}


def twice(url):
    """It keeps no connection."""
    return [send("GET", url)["status"] for _ in range(2)]


def slow(url):
    begun, times, said = time.monotonic(), [], b""
    with opened("GET", url) as answer:
        while piece := answer.read1():
            times.append(time.monotonic() - begun)
            said += piece
    return {"text": said.decode(), "first": times[0], "last": times[-1]}
