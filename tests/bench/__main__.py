"""`make bench`: what Atelier adds to a job, beside a plain Celery task on the same broker, in one run.

The job is the fake family's smallest picture, through everything: HTTP, the record fsynced, the claim, the
engine, two files and a manifest fsynced, the commit. The task does nothing. So the difference is the price of
the platform and the ratio is what to watch; both depend on the machine, above all on how fast its disk syncs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from atelier import Client
from infra.settings import Settings
from tests.bench.measure import Figures, measure
from tests.e2e.stack import Stack
from tests.servers import wait_for


@dataclass(frozen=True)
class OurJob:
    client: Client
    job_id: str

    def wait(self) -> None:
        job = self.client.wait(self.job_id)
        assert job.status == "succeeded", job.error


@dataclass(frozen=True)
class PlainTask:
    result: object

    def wait(self) -> None:
        self.result.get(timeout=60, interval=0.001)  # type: ignore[attr-defined]


def measure_ours(url: str, jobs: int) -> Figures:
    inputs = {"prompt": "steps=1", "steps": 1}
    with Client(url, "") as client:
        return measure(
            lambda: OurJob(client, client.submit("text-to-image", inputs, model="test/fake").id), jobs
        )


def measure_plain(broker: str, jobs: int) -> Figures:
    os.environ["BENCH_BROKER"] = broker
    from tests.bench.plain import app, nothing

    with _plain_worker():
        wait_for(lambda: app.control.ping(timeout=0.5), 30, "the plain Celery worker")
        return measure(lambda: PlainTask(nothing.delay()), jobs)


@contextmanager
def _plain_worker() -> Iterator[None]:
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "tests.bench.plain",
        "worker",
        "--pool",
        "threads",
        "-c",
        "1",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100, help="jobs of each measurement")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="atl-bench-") as folder:
        stack = Stack(Path(folder)).start()
        try:
            plain = measure_plain(Settings(home=Path(folder)).broker_address, options.jobs)
            ours = measure_ours(stack.url, options.jobs)
        finally:
            stack.stop()
    print(_json(ours, plain) if options.json else _table(ours, plain))
    return 0


def _json(ours: Figures, plain: Figures) -> str:
    ratio = round(ours.alone_ms / plain.alone_ms, 2)
    return json.dumps({"atelier": ours.as_json(), "celery": plain.as_json(), "alone_ratio": ratio})


def _table(ours: Figures, plain: Figures) -> str:
    rows = [
        ("one job alone, median ms", plain.alone_ms, ours.alone_ms),
        ("one job alone, 95 % ms", plain.alone_p95_ms, ours.alone_p95_ms),
        ("jobs per second", plain.per_second, ours.per_second),
    ]
    head = f"{'':26}{'Celery':>10}{'Atelier':>10}{'ratio':>8}"
    return "\n".join([head, *(f"{name:26}{a:10.1f}{b:10.1f}{b / a:8.2f}" for name, a, b in rows)])


if __name__ == "__main__":
    sys.exit(main())
