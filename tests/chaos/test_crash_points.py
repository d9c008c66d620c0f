"""A walk over every crash point: a process dies there, and the work goes on as if it had not, once."""

import ast
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.crash_points import CrashPoint, arm, crash_point
from infra.errors import BadSetting, JobNotFound
from infra.jobs.record import Job, Outcome
from infra.jobs.scripts import PREFIX
from infra.storage.keys import record_key
from infra.webhooks.outbox import FLIGHT_SECONDS
from tests.chaos.truth import consistent, only_results_remain, succeeded_once
from tests.integration.api.support import ApiServer, png, submitted, text_to_image
from tests.integration.cluster import FAKE_FAMILY, Cluster, WorkerProcess, outcomes
from tests.receiver import Receiver
from tests.servers import StateServer, wait_for

pytestmark = pytest.mark.walk

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "infra", "workers")
KEY = {"Idempotency-Key": "one"}

LOST = [Outcome.LOST, Outcome.SUCCEEDED]
CRASHED = [Outcome.CRASHED, Outcome.SUCCEEDED]


@dataclass(frozen=True)
class Walk:
    """What a worker does until it dies, and how the job's attempts have ended when another one is done."""

    crash_at: str
    outcomes: list[Outcome]
    prompt: str = ""
    """`LOG` stands for a file of the job's own."""


WORKER_WALKS = [
    Walk("after_claim", LOST),
    Walk("before_store", LOST),
    Walk("after_artifact:2", LOST),
    Walk("before_commit", LOST),
    Walk("after_commit", [Outcome.SUCCEEDED]),
    Walk("before_requeue", LOST, "fail=retryable times=1 log=LOG"),
    Walk("after_requeue", [Outcome.FAILED, Outcome.SUCCEEDED], "fail=retryable times=1 log=LOG"),
]
ENGINE_WALKS = [
    Walk("engine_loaded", CRASHED),
    Walk("engine_made", CRASHED),
    Walk("engine_told", [Outcome.SUCCEEDED]),  # what the worker was told of is enough
]
API_POINTS = [CrashPoint.BEFORE_ENQUEUE, CrashPoint.AFTER_ENQUEUE, CrashPoint.BEFORE_RING]
UPLOAD_POINTS = [CrashPoint.UPLOAD_RESERVED, CrashPoint.UPLOAD_STORED]
COLLECTOR_POINTS = [CrashPoint.JOB_OBJECTS_DELETED, CrashPoint.UPLOAD_OBJECT_DELETED]
WEBHOOK_POINTS = [CrashPoint.WEBHOOK_TAKEN, CrashPoint.WEBHOOK_SENT]

MODEL = """
[[model]]
name = "test/{name}"
family = "fake"
kinds = ["text-to-image"]
weights = "{weights}"
queue = "{name}"

[model.defaults]
width = 64
height = 64
steps = 2
"""


def name_of(walk: Walk) -> str:
    """A queue and a model for each walk, so that nobody else takes its job."""
    return walk.crash_at.partition(":")[0].replace("_", "-")


@pytest.fixture
def walkers(make_cluster: Callable[..., Cluster], state: StateServer, tmp_path: Path) -> Cluster:
    """A cluster with a queue for each walk."""
    catalog = tmp_path / "walks.toml"
    weights = FAKE_FAMILY / "weights" / "plain"
    names = [name_of(walk) for walk in WORKER_WALKS + ENGINE_WALKS]
    catalog.write_text("".join(MODEL.format(name=name, weights=weights) for name in names))
    cluster = make_cluster(state, catalog=str(catalog), queues=",".join(names), lease_seconds=8.0)
    cluster.use_catalog(catalog)
    return cluster


def test_every_point_of_a_worker(walkers: Cluster, tmp_path: Path) -> None:
    # Given a worker for each point, and a job for each of them
    walks = [(walk, begin(walkers, walk, tmp_path)) for walk in WORKER_WALKS]
    # When each has died at its point
    for walk, (worker, _) in walks:
        assert worker.wait(60) == -9, walk
        assert [record["point"] for record in worker.records("crash.reached")] == [name_at(walk)]
    # Then a worker without such orders finishes every job, once
    finish(walkers, [(walk, job) for walk, (_, job) in walks])


def test_every_point_of_an_engine(walkers: Cluster, tmp_path: Path) -> None:
    walks = [(walk, begin(walkers, walk, tmp_path)) for walk in ENGINE_WALKS]
    for _, (worker, job) in walks:
        walkers.wait_until(job, lambda found: found.attempts and found.attempts[0].outcome, 60)
        worker.kill()  # its next engine would die as well
    finish(walkers, [(walk, job) for walk, (_, job) in walks])


def begin(cluster: Cluster, walk: Walk, folder: Path) -> tuple[WorkerProcess, Job]:
    """A job, and the worker that will die of it."""
    name = name_of(walk)
    prompt = walk.prompt.replace("LOG", str(folder / f"{name}.jsonl"))
    job = cluster.submit(f"a star {prompt}", model=f"test/{name}", inputs={"n": 2})
    worker = cluster.run_worker("--device", "cpu", "--queues", name, crash_at=walk.crash_at)
    return worker, job


def name_at(walk: Walk) -> str:
    return walk.crash_at.partition(":")[0]


def finish(cluster: Cluster, walks: list[tuple[Walk, Job]]) -> None:
    """Have a worker do what is left, and look at all of it."""
    cluster.run_worker("--device", "cpu")
    for walk, job in walks:
        done = succeeded_once(cluster, job, seconds=60)
        found = outcomes(done)
        if walk in ENGINE_WALKS:  # the worker may have begun once more before it was killed
            del found[1:-1]
        assert found == walk.outcomes, walk
    consistent(cluster)
    only_results_remain(cluster, *(cluster.job(job.id) for _, job in walks))


@pytest.mark.slow
@pytest.mark.parametrize("point", API_POINTS)
def test_a_submission_whose_api_dies(
    point: CrashPoint, cluster: Cluster, start_api: Callable[..., ApiServer]
) -> None:
    # Given an idle worker, and an API that dies there, each time
    cluster.start_worker()
    places = served_by(cluster)
    api = start_api(**places, crash_at=point)
    # When a job is submitted
    with api.client() as client, pytest.raises(httpx.TransportError):
        client.post("/v1/jobs", json=text_to_image(), headers=KEY)
    api.stop()
    # Then the same submission, elsewhere, is one job
    with start_api(**places).client() as client:
        job_id = client.post("/v1/jobs", json=text_to_image(), headers=KEY).raise_for_status().json()["id"]
        assert [job["id"] for job in client.get("/v1/jobs").json()["data"]] == [job_id]
    succeeded_once(cluster, cluster.job(job_id))
    consistent(cluster)


@pytest.mark.slow
@pytest.mark.parametrize("point", UPLOAD_POINTS)
def test_an_upload_whose_api_dies(
    point: CrashPoint, cluster: Cluster, start_api: Callable[..., ApiServer]
) -> None:
    # Given
    places = served_by(cluster) | {"upload_expires_seconds": 1}
    api = start_api(**places, crash_at=point)
    # When
    with api.client() as client, pytest.raises(httpx.TransportError):
        client.post("/v1/uploads", content=png())
    api.stop()
    # Then it takes room only until it has expired, and can be sent again
    wait_for(lambda: collect(cluster) == 0 and not list(cluster.storage.list()), 20, "an empty storage")
    with start_api(**places).client() as client:
        assert client.post("/v1/uploads", content=png()).status_code == 201


@pytest.mark.slow
def test_a_deletion_whose_api_dies(cluster: Cluster, start_api: Callable[..., ApiServer]) -> None:
    # Given a job with a result
    cluster.start_worker()
    job = succeeded_once(cluster, cluster.submit("a star"))
    api = start_api(**served_by(cluster), crash_at=CrashPoint.AFTER_DELETE)
    # When
    with api.client() as client:
        with pytest.raises(httpx.TransportError):
            client.delete(f"/v1/jobs/{job.id}")
        # Then it is gone for its owner, and the collector takes its files
        wait_for(lambda: answers(client, f"/v1/jobs/{job.id}") == 404, what="an API that is back")
    assert cluster.stored(job)
    assert collect(cluster) == 0
    assert not cluster.stored(job)
    consistent(cluster)


@pytest.mark.slow
@pytest.mark.parametrize("point", COLLECTOR_POINTS)
def test_a_collection_whose_process_dies(
    point: CrashPoint, cluster: Cluster, start_api: Callable[..., ApiServer]
) -> None:
    # Given a job and an upload whose lives are over
    cluster.start_worker()
    job = succeeded_once(cluster, cluster.submit("a star", expires_in_seconds=1))
    api = start_api(**served_by(cluster), upload_expires_seconds=1)
    with api.client() as client:
        client.post("/v1/uploads", content=png()).raise_for_status()
    api.stop()
    # When the collector dies in the midst of it
    wait_for(lambda: collect(cluster, crash_at=point) == -9, 20, "a collector that dies")
    # Then the next one brings it to an end
    assert collect(cluster) == 0
    assert list(cluster.storage.list()) == []
    assert not cluster.stored(job)
    consistent(cluster)


@pytest.mark.slow
def test_an_archiving_whose_process_dies(cluster: Cluster) -> None:
    # Given a job that ended long enough ago to leave the state server
    cluster.start_worker()
    job = succeeded_once(cluster, cluster.submit("a star"))
    # When the process dies between writing the record and forgetting it
    changes = {"records_keep_seconds": 1}
    wait_for(lambda: collect(cluster, crash_at="archive_written", **changes) == -9, 20, "a process that dies")
    # Then the job is there, and the next one moves it
    assert cluster.job(job.id) == job
    assert collect(cluster, **changes) == 0
    with pytest.raises(JobNotFound):
        cluster.job(job.id)
    assert record_key(job.owner, job.id) in cluster.stored(job)
    assert cluster.read_artifact(job, job.artifacts[0].name)
    consistent(cluster)


@pytest.mark.slow
@pytest.mark.parametrize("point", WEBHOOK_POINTS)
def test_a_delivery_whose_api_dies(
    point: CrashPoint, cluster: Cluster, state: StateServer, start_api: Callable[..., ApiServer]
) -> None:
    # Given an API that dies with a message in its hands
    receiver = Receiver()
    places = served_by(cluster) | {"webhook_allow": receiver.allow}
    api = start_api(**places, crash_at=point)
    with receiver.serving(), state.client() as clock:
        with api.client() as client:
            endpoint = client.post("/v1/webhook-endpoints", json={"url": receiver.url}).json()
            job = submitted(client, text_to_image() | {"webhook": endpoint["id"]})
            client.post(job["urls"]["cancel"]).raise_for_status()
        wait_for(lambda: "crash.reached" in api.log, 20, "an API that dies")
        api.stop()
        # When another one runs, and the dead one's time for it is over
        with start_api(**places).client() as client:
            clock.incrby(f"{PREFIX}skew", round(FLIGHT_SECONDS * 1000) + 1000)
            wait_for(lambda: states(client, job["id"]) == ["delivered"], 20, "a delivered message")
    # Then it was sent, twice under one id when the first time had not been noted
    assert len(receiver.ids) >= (2 if point is CrashPoint.WEBHOOK_SENT else 1)
    assert len(set(receiver.ids)) == 1


def states(client: httpx.Client, job_id: str) -> list[str]:
    """Of the job's messages."""
    return [found["state"] for found in client.get(f"/v1/jobs/{job_id}/deliveries").json()["data"]]


def served_by(cluster: Cluster) -> dict[str, Any]:
    """Settings of an API on a cluster's servers."""
    settings = cluster.settings
    names = ("home", "redis_url", "broker_url", "storage_url", "catalog")
    return {name: getattr(settings, name) for name in names}


def collect(cluster: Cluster, **changes: Any) -> int:
    """The exit code of `python -m infra.admin gc`, with these settings changed."""
    environ = cluster.settings.model_copy(update=changes).environ()
    done = subprocess.run(
        [sys.executable, "-m", "infra.admin", "gc"], env=environ, cwd=ROOT, capture_output=True, check=False
    )
    return done.returncode


def answers(client: httpx.Client, path: str) -> int:
    try:
        return client.get(path).status_code
    except httpx.TransportError:
        return 0


def test_every_point_is_in_the_code_once_and_walked() -> None:
    named = [
        node.args[0].attr
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "crash_point"
        if isinstance(node.args[0], ast.Attribute)
    ]
    assert sorted(named) == sorted(point.name for point in CrashPoint)
    walked = {CrashPoint(name_at(walk)) for walk in WORKER_WALKS + ENGINE_WALKS}
    walked |= {*API_POINTS, *UPLOAD_POINTS, *COLLECTOR_POINTS, *WEBHOOK_POINTS}
    walked |= {CrashPoint.AFTER_DELETE, CrashPoint.ARCHIVE_WRITTEN}
    assert walked == set(CrashPoint)


@pytest.mark.parametrize("wrong", ["before_comit", "before_commit:often", ":2"])
def test_a_point_that_is_none(wrong: str) -> None:
    with pytest.raises(BadSetting, match="before_commit"):
        arm(wrong)


def test_points_are_off() -> None:
    arm("")
    for point in CrashPoint:
        crash_point(point)
