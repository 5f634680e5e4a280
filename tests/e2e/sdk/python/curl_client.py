"""curl, the program."""

import subprocess
import time

BASE = ["curl", "--silent", "--show-error", "--max-time", "20"]


def send(method, url, headers=None, body=None, times=1):
    words = [*BASE, "--request", method, "--write-out", "\n%{http_code}"]
    for name, value in (headers or {}).items():
        words += ["--header", f"{name}: {value}"]
    data = None
    if body is not None:
        words += ["--data-binary", "@-"]
        data = (body * times).encode()
    done = subprocess.run([*words, url], input=data, capture_output=True)
    if done.returncode:
        raise RuntimeError(done.stderr.decode())
    text, status = done.stdout.decode().rsplit("\n", 1)
    return {"status": int(status), "text": text}


def twice(url):
    words = [*BASE, "--write-out", "%{http_code} ", "--output", "/dev/null", url, "--output", "/dev/null", url]
    done = subprocess.run(words, capture_output=True, check=True)
    return [int(status) for status in done.stdout.split()]


def slow(url):
    begun, times, said = time.monotonic(), [], b""
    with subprocess.Popen([*BASE, "--no-buffer", url], stdout=subprocess.PIPE, bufsize=0) as curl:
        while piece := curl.stdout.read(4096):
            times.append(time.monotonic() - begun)
            said += piece
    return {"text": said.decode(), "first": times[0], "last": times[-1]}
