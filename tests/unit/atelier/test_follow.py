"""What somebody sees of a job: a bar that goes back when the job does, a table whose ids can be copied."""

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from atelier.cli import table
from atelier.cli.follow import Lines, draw
from atelier.cli.output import Output
from atelier.records import Job


def job(status: str, fraction: float | None = None, **more: object) -> Job:
    progress = None if fraction is None else {"stage": "encoding", "fraction": fraction}
    raw = {
        "id": "job_1",
        "kind": "text",
        "model": "a/b",
        "status": status,
        "version": 1,
        "progress": progress,
    }
    return Job.from_json({**raw, **more})


def test_a_bar_goes_back_when_the_job_is_tried_again() -> None:
    progress = Progress(console=Console(file=io.StringIO()))
    number = progress.add_task("", total=None, steps="")
    (bar,) = progress.tasks

    draw(progress, number, "encoding", job("running", 1.0))
    assert (bar.percentage > 90, bar.finished) == (True, False), "what is written is not there yet"
    draw(progress, number, "queued", job("queued"))
    assert (bar.total, bar.completed, bar.finished) == (None, 0.0, False)
    draw(progress, number, "running", job("running", 0.25))
    assert bar.percentage == 25
    draw(progress, number, "succeeded", job("succeeded"))
    assert bar.finished


def test_a_line_is_written_once_although_the_start_comes_nearer(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(Output())
    for seconds in (30, 29, 28):
        lines.show(job("queued", queue={"position": 2, "estimated_start_seconds": seconds}))
    assert capsys.readouterr().err.splitlines() == ["job_1 queued, place 2, starts in about 30 s"]


def test_the_first_column_keeps_its_length(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    name = "job_" + "0" * 24
    table.print_table(["ID", "MODEL", "STATE"], [[name, "house/songbook-lstm", "queued, place 12"]])
    assert any(line.startswith(f"{name} ") for line in capsys.readouterr().out.splitlines())
