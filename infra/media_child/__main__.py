"""`python -m infra.media_child SNIFFED SOURCE TARGET CONFINEMENT`: check one file, print one line of JSON.

Exit code 0 means that the line is the answer: what was written, or `{"detail"}` with what is wrong with the
file, or `{"unconfined"}` because it was not looked at. Any other end means that a limit stopped it.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from infra.confine import NotConfined, confine, limit
from infra.media_child.answer import Unfit, Written
from infra.media_child.limits import BUDGETS

NICER = 5  # a check gives way to requests and to jobs
Rewrite = Callable[[BinaryIO, BinaryIO, str], Written]


def main(sniffed: str, source: str, target: str, confinement: str) -> None:
    """Load the decoders, open the files, give everything else up, and only then look at the file."""
    form = sniffed.partition("/")[0]
    limit(BUDGETS[form].limits)
    os.nice(NICER)
    rewrite = _rewriter(sniffed)
    with Path(source).open("rb") as given, Path(target).open("w+b") as written:
        if _is_confined() or confinement == "best_effort":
            print(json.dumps(_answer(rewrite, given, written, sniffed)))
        else:
            print(json.dumps({"unconfined": True}))


def _rewriter(sniffed: str) -> Rewrite:
    """Imports what this sort of file needs; nothing can be imported later."""
    if sniffed == "audio/midi":
        from infra.media_child.scores import rewrite as rewrite_score

        return rewrite_score
    if sniffed.startswith("image/"):
        from infra.media_child.images import rewrite as rewrite_image

        return rewrite_image
    from infra.media_child.containers import rewrite as rewrite_container

    return rewrite_container


def _is_confined() -> bool:
    try:
        confine()
    except NotConfined:
        return False
    return True


def _answer(rewrite: Rewrite, given: BinaryIO, written: BinaryIO, sniffed: str) -> dict[str, Any]:
    try:
        return asdict(rewrite(given, written, sniffed))
    except Unfit as error:
        return {"detail": str(error)}
    except MemoryError:
        return {"detail": "The file needs too much memory to be decoded."}
    except Exception as error:  # noqa: BLE001 - decoders raise anything on hostile input, and the class name is enough
        return {"detail": f"The file is damaged and cannot be decoded ({type(error).__name__})."}


if __name__ == "__main__":
    main(*sys.argv[1:])
