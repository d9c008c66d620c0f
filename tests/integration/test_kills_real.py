"""The kill of an engine that runs a real diffusers pipeline (with tiny random weights) on the CPU."""

import os
import signal
from pathlib import Path

import psutil

from infra.jobs.record import Job, Outcome, Status
from tests.families.tiny import save_stable_diffusion
from tests.integration.cluster import Cluster, now_ms, outcomes

ROW = """
[[model]]
name = "test/tiny"
family = "stable_diffusion"
kinds = ["text-to-image"]
weights = "tiny"
queue = "image"

[model.defaults]
width = 64
height = 64
"""


def test_an_engine_with_a_real_model_is_back_as_fast_as_it_first_came(
    cluster: Cluster, tmp_path: Path
) -> None:
    # Given a real model in the midst of a run
    save_stable_diffusion(tmp_path / "tiny")
    catalog = tmp_path / "real.toml"
    catalog.write_text(ROW)
    worker = cluster.start_worker(catalog=str(catalog))
    cluster.use_catalog(catalog)
    job = cluster.submit("a star", "test/tiny", inputs={"steps": 100})
    cluster.wait_until(job, lambda found: found.progress and found.progress["step"] > 1, seconds=120)
    engine = worker.wait_for_engine()
    first = _processor_seconds(engine)
    assert _maps_torch(engine)
    assert not _maps_torch(worker.pid), "the parent holds no torch"
    # When
    killed_at = now_ms()
    os.kill(engine, signal.SIGKILL)
    # Then it is on record at once, and the next attempt steps as soon after its engine's start as the first
    # did: counted in processor time, and up to twice of it, because other tests share the cores
    job = cluster.wait_until(job, lambda found: found.attempts[0].outcome)
    assert (job.attempts[0].ended_at or 0) - killed_at <= 2000
    cluster.wait_until(job, _steps_again, seconds=120)
    assert _processor_seconds(worker.wait_for_engine(other_than=engine)) <= 2 * first
    job = cluster.wait_for_end(job, seconds=120)
    assert (job.status, outcomes(job)) == (Status.SUCCEEDED, [Outcome.CRASHED, Outcome.SUCCEEDED])


def _steps_again(job: Job) -> bool:
    return len(job.attempts) == 2 and job.progress is not None and job.progress["step"] > 0


def _processor_seconds(pid: int) -> float:
    spent = psutil.Process(pid).cpu_times()
    return spent.user + spent.system


def _maps_torch(pid: int) -> bool:
    return any("libtorch" in Path(mapped.path).name for mapped in psutil.Process(pid).memory_maps())
