"""kingfisher.py ROUNDS FOLDER...: Kingfisher finds the secrets of each text, and they are replaced; says how much processor time it took."""
import json
import os
import sys
import time

from kingfisher_sdk import Scanner

rounds, folders = int(sys.argv[1]), sys.argv[2:]
scanner = Scanner()
for folder in folders:
    texts = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8", newline="") as file:
            texts.append(file.read())
    seconds, hits = [], 0
    for turn in range(rounds + 1):
        start, hits = time.process_time(), 0
        for text in texts:
            found = sorted({f.secret for f in scanner.scan(text) if f.secret}, key=len, reverse=True)
            hits += len(found)
            for secret in found:
                text = text.replace(secret, "[REDACTED]")
        if turn:
            seconds.append(time.process_time() - start)
    print(json.dumps({"seconds": seconds, "hits": hits}), flush=True)
