"""The demo: all five kinds in one chain, followed side by side, and a page that shows what came of it."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from atelier.cli.exits import Exit, exit_for_status
from atelier.cli.follow import Interrupted
from atelier.cli.outcome import tell_failure
from atelier.cli.output import Output
from atelier.cli.together import follow_together
from atelier.records import Artifact, Job

if TYPE_CHECKING:
    from atelier.client import Client

INDEX: Final = "index.html"


def run_demo(output: Output, home: Path | None, url: str | None, out: Path, seed: int | None) -> Exit:
    """Find or start a stack, run the chain, write its outputs and the page, stop what was started."""
    from atelier.demo import some_stack

    started = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)  # before the work, so that a folder that cannot be is told first
    with some_stack(home, url, output.note) as client:
        try:
            jobs = _run(client, output, seed)
        except Interrupted:
            output.object({"error": {"type": "interrupted", "title": "The jobs were cancelled."}})
            return Exit.INTERRUPTED
        paths = _fetched(client, jobs, out)
    page = _write_page(jobs, paths, out)
    for path in (*paths.values(), page):
        output.result(str(path))
    for job in jobs.values():
        tell_failure(job, output)
    output.object({"jobs": [job.raw for job in jobs.values()], "page": str(page)})
    output.note(f"done in {time.monotonic() - started:.0f} s; open {page.resolve().as_uri()} in a browser")
    return max(exit_for_status(job.status) for job in jobs.values())


def _run(client: "Client", output: Output, seed: int | None) -> dict[str, Job]:
    """The chain's jobs by their refs, once all are final."""
    from atelier.pieces import PIECES

    queued = client.submit_chain([piece.body(seed) for piece in PIECES])
    named = {piece.called: job for piece, job in zip(PIECES, queued, strict=True)}
    done = follow_together(client, named, output)
    return {piece.ref: done[piece.called] for piece in PIECES}


def _fetched(client: "Client", jobs: dict[str, Job], out: Path) -> dict[str, Path]:
    """The outputs as files named for their refs, such as `song.flac`, a score beside it as `song.mid`."""
    wanted = ((ref, job, each) for ref, job in jobs.items() for each in job.artifacts)
    files = [(ref, job, each) for ref, job, each in wanted if each.role in {"output", "score"}]
    return {
        ref if each.role == "output" else f"{ref} {each.role}": client.download(
            job, each, out / f"{ref}{_suffix(job, each)}"
        )
        for ref, job, each in files
    }


def _suffix(job: Job, artifact: Artifact) -> str:
    return ".js" if job.kind == "code" else Path(artifact.name).suffix


def _write_page(jobs: dict[str, Job], paths: dict[str, Path], out: Path) -> Path:
    from atelier.page import index_html
    from atelier.pieces import PIECES

    page = out / INDEX
    page.write_text(index_html(PIECES, jobs, paths), encoding="utf-8")
    return page
