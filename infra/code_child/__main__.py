"""Runs one piece of code with its tests: a task as JSON on standard input, one line of JSON as the answer.

`{"passed": [true, …]}`, or `{"unconfined": true}` because nothing was run. Any other end means that a limit
stopped it. There is no way to run anything unconfined.
"""

import io
import json
import os
import sys

from infra.code_child import javascript, python
from infra.code_child.limits import LIMITS
from infra.confine import NotConfined, confine, limit

NICER = 5  # it gives way to requests and to jobs
DEEPEST = 400  # calls; what recurses without end shall raise, not crash
RUNS = {"python": python.run, "javascript": javascript.run}


def main() -> None:
    """Read the task, give up every right, and only then look at the code."""
    limit(LIMITS)
    os.nice(NICER)
    task = json.load(sys.stdin)
    os.close(0)
    answer, sys.stdout = sys.stdout, io.StringIO()
    sys.setrecursionlimit(DEEPEST)
    try:
        confine()
    except NotConfined:
        print(json.dumps({"unconfined": True}), file=answer)
        return
    passed = RUNS[task["language"]](task["code"], task["tests"])
    print(json.dumps({"passed": passed}), file=answer, flush=True)
    os._exit(0)  # nothing of the code's is called any more, such as what it left for the end


main()
