"""The demo's two jobs, shown as `image` and `text` show theirs."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from atelier.cli.exits import Exit, exit_for_status
from atelier.cli.follow import Interrupted, follow
from atelier.cli.outcome import fetch, tell_failure
from atelier.cli.output import Output
from atelier.records import Job

if TYPE_CHECKING:
    from atelier.client import Client

PICTURE: Final = "a red circle above a blue square, night"
STORY: Final = "Once upon a time"


def run_demo(output: Output, home: Path | None, out: Path) -> Exit:
    """Find or start a stack, run both jobs, print where their outputs lie, stop what was started."""
    from atelier.client import Client
    from atelier.demo import some_stack

    started = time.monotonic()
    with some_stack(home, output.note) as url, Client(url) as client:
        try:
            jobs = [
                _see(client, output, out, "text-to-image", PICTURE),
                _see(client, output, out, "text", STORY),
            ]
        except Interrupted:
            return Exit.INTERRUPTED
    output.object({"jobs": [job.raw for job in jobs]})
    output.note(f"done in {time.monotonic() - started:.0f} s")
    return max(exit_for_status(job.status) for job in jobs)


def _see(client: "Client", output: Output, out: Path, kind: str, prompt: str) -> Job:
    output.note(f"{kind}: {prompt!r}")
    job = follow(client, client.submit(kind, {"prompt": prompt}), output)
    for path in fetch(client, job, out):
        output.result(str(path))
        if path.suffix == ".txt":
            output.note(path.read_text())
    tell_failure(job, output)
    return job
