"""(c) What the platform adds to one job: from submission to the artifact's bytes, less the model's time."""

import json
import os
import time
from pathlib import Path

import httpx

from infra.jobs.record import Job
from tests.bench.figures import Goal, Result, Size, percentile
from tests.bench.parts import bench, running
from tests.integration.cluster import Cluster

JOBS = 40
SYNCS = 50

UNITS = {
    "p50": "added to a job, median ms",
    "p99": "added to a job, 99 % ms",
    "accepted": "of it: until the submission is on disk, median ms",
    "claimed": "of it: from then until a worker has it, median ms",
    "ended": "of it: from then until the result is committed, less the model's time, median ms",
    "fetched": "of it: from then until the client has the bytes, median ms",
    "sync": "one write and fdatasync on this disk, median ms",
    "p50_syncs": "the median in syncs of this disk",
}
GOALS = (Goal("p50", "≤", 20.0, "median ≤ 20 ms when idle"), Goal("p99", "≤", 60.0, "99 % ≤ 60 ms when idle"))


def run(size: Size) -> Result:
    """One job at a time on an idle stack."""
    result = Result(
        "overhead",
        "Overhead of one job",
        f"{JOBS} jobs, one after the other: submitted with `Prefer: wait`, and the picture fetched when that"
        " answers. One API process, one worker, the fake family, which writes down when it begins"
        " and ends: its own time is taken off. The state server syncs every write, files and their"
        " folders are synced, all on one disk. 99 % is over the jobs of a run.",
        UNITS,
        GOALS,
    )
    with bench() as ours, running(ours.api()):
        cluster = Cluster(ours.settings, ours.folder)
        cluster.start_worker()
        try:
            with httpx.Client(
                base_url=f"http://127.0.0.1:{ours.settings.port}", trust_env=False, timeout=60
            ) as client:
                _one(client, cluster, ours.folder / "warm")
                for number in range(size.runs):
                    _run(result, size, client, cluster, ours.folder)
                    size.tell(f"overhead {number + 1}/{size.runs}: {result.runs['p50'][-1]:.1f} ms")
        finally:
            cluster.close()
    return result


def _run(result: Result, size: Size, client: httpx.Client, cluster: Cluster, folder: Path) -> None:
    found = [_one(client, cluster, folder / f"log{place}") for place in range(size.count(JOBS, 3))]
    columns = {name: sorted(each[name] for each in found) for name in found[0]}
    sync = _sync_ms(folder / "sync")
    p50 = percentile(columns["added"], 50)
    parts = {name: percentile(columns[name], 50) for name in ("accepted", "claimed", "ended", "fetched")}
    result.add(p50=p50, p99=percentile(columns["added"], 99), sync=sync, p50_syncs=p50 / sync, **parts)


def _one(client: httpx.Client, cluster: Cluster, log: Path) -> dict[str, float]:
    """Milliseconds of one job, by part. Times of the record are of this machine's clock, as ours are."""
    log.unlink(missing_ok=True)
    body = {
        "kind": "text-to-image",
        "model": "test/fake",
        "inputs": {"prompt": f"steps=1 log={log}", "steps": 1},
    }
    begun, clock = time.perf_counter(), time.time() * 1000
    answer = client.post("/v1/jobs", json=body, headers={"Prefer": "wait=30"}).json()
    assert answer["status"] == "succeeded", answer
    picture = client.get(answer["artifacts"][0]["url"])
    whole = (time.perf_counter() - begun) * 1000
    assert picture.status_code == 200
    job = cluster.job(answer["id"])
    own = _own_ms(log)
    return {"added": whole - own, **_parts(job, clock, whole, own)}


def _parts(job: Job, clock: float, whole: float, own: float) -> dict[str, float]:
    started, ended = job.attempts[0].started_at, job.attempts[0].ended_at or 0
    return {
        "accepted": job.created_at - clock,
        "claimed": started - job.created_at,
        "ended": ended - started - own,
        "fetched": clock + whole - ended,
    }


def _own_ms(log: Path) -> float:
    """Between the family's first and last word."""
    seconds = [json.loads(line)["seconds"] for line in log.read_text().splitlines()]
    return (seconds[-1] - seconds[0]) * 1000


def _sync_ms(file: Path) -> float:
    times = []
    with file.open("wb", buffering=0) as opened:
        for _ in range(SYNCS):
            opened.write(b"x" * 1500)
            begun = time.perf_counter()
            os.fdatasync(opened.fileno())
            times.append((time.perf_counter() - begun) * 1000)
    return percentile(sorted(times), 50)
