"""Does with one official client what it is asked for, and tells what the client made of the answer.

A line of JSON in: {"do": NAME, "with": {...}}; a line out: {"saw": ...} or {"raised": {...}}.
The modules beside this file have one function for each NAME.
"""

import importlib
import json
import sys
import traceback


def described(error):
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    return {
        "classes": [kind.__name__ for kind in type(error).__mro__],
        "status": status if isinstance(status, int) else None,
        "text": str(error)[:2000],
    }


def main():
    client = importlib.import_module(sys.argv[1])
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            told = {"saw": getattr(client, asked["do"])(**asked["with"])}
        except Exception as error:
            traceback.print_exc()
            told = {"raised": described(error)}
        print(json.dumps(told), flush=True)


main()
