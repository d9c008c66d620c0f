"""A rolling upgrade: the API and the workers of the release before run beside ours, on one state server."""

from hashlib import sha256
from typing import Any

import httpx

from infra.jobs.record import SCHEMA, Job, Outcome, Status
from infra.jobs.scripts import PREFIX
from tests.chaos.matrix import Seen, fault
from tests.integration.api.support import Json, png, submitted, text_to_image
from tests.integration.cluster import outcomes
from tests.rolling.conftest import Deployment, Receiver
from tests.servers import wait_for


def key(name: str) -> dict[str, Any]:
    return {"headers": {"Idempotency-Key": name}}


def ended(deployment: Deployment, jobs: list[Json]) -> list[Job]:
    return [deployment.cluster.wait_for_end(deployment.cluster.job(job["id"]), seconds=60) for job in jobs]


def check_result(client: httpx.Client, job: Job) -> None:
    """It succeeded once, and its files are what its record says."""
    assert (job.status, outcomes(job).count(Outcome.SUCCEEDED)) == (Status.SUCCEEDED, 1), job
    assert (job.fails, job.crashes, job.losses) == (0, 0, 0), job
    for artifact in job.artifacts:
        data = client.get(f"/v1/jobs/{job.id}/artifacts/{artifact.name}").content
        assert sha256(data).hexdigest() == artifact.sha256


def one_of_each(client: httpx.Client) -> list[Json]:
    """Jobs of every kind and every sort of input, accepted by this API."""
    upload = client.post("/v1/uploads", content=png(), headers={"Content-Type": "image/png"}).json()
    picture = submitted(client, text_to_image("steps=2"))
    variants = [
        submitted(client, text_to_image("steps=1", image=image) | {"kind": "image-to-image"})
        for image in ({"upload": upload["id"]}, {"job": picture["id"]})
    ]
    text = {"kind": "text", "model": "test/fake-text", "inputs": {"prompt": "steps=2"}}
    return [picture, *variants, submitted(client, text)]


READABLE = ("/readyz", "/metrics", "/v1/models", "/v1/kinds", "/v1/queues", "/v1/workers", "/v1/jobs")


def check_readable(clients: tuple[httpx.Client, ...], jobs: list[Job]) -> None:
    """Each API shows what either has written."""
    paths = [*READABLE, *[f"/v1/jobs/{job.id}{part}" for job in jobs for part in ("", "/events")]]
    for client in clients:
        answers = {path: client.get(path).status_code for path in paths}
        assert set(answers.values()) == {200}, answers


@fault(
    33,
    "A rolling upgrade: API and workers of two releases on one state server",
    "every job succeeds once, wherever it was submitted and run; nothing is counted against it",
)
def test_two_releases_work_side_by_side(deployment: Deployment, seen: Seen) -> None:
    # Given both APIs, and an old worker
    old_api = deployment.start_api(deployment.old)
    old_worker = deployment.start_worker(deployment.old)
    new_api = deployment.start_api(deployment.new)
    with old_api.client() as old, new_api.client() as new:
        # When it works, it does the jobs of the old API, and leaves those of the new one alone
        of_new, of_old = one_of_each(new), one_of_each(old)
        for job in ended(deployment, of_old):
            check_result(new, job)
            check_result(old, job)
        waiting = [deployment.cluster.job(job["id"]) for job in of_new]
        assert {(job.status, job.attempts) for job in waiting} == {(Status.QUEUED, ())}
        assert {deployment.cluster.job(job["id"]).schema for job in of_old + of_new} == {2, SCHEMA}

        # and a new one comes while it works on, it does the others, and both APIs show everything
        interrupted = deployment.cluster.job(submitted(old, text_to_image("steps=600 sleep=0.1"))["id"])
        deployment.cluster.wait_for_step(interrupted)
        deployment.start_worker(deployment.new)
        for job in ended(deployment, of_new):
            check_result(new, job)
            check_result(old, job)
        check_readable((old, new), [deployment.cluster.job(job["id"]) for job in of_old + of_new])

        # and the old one is drained in the midst of its job, while more jobs come
        short = deployment.cluster.job(submitted(old, text_to_image("steps=10 sleep=0.1"))["id"])
        old_worker.terminate()
        more = [job for client in (new, old) for job in one_of_each(client)]
        assert old_worker.wait() == 0
        given_back = deployment.cluster.wait_until(
            interrupted, lambda job: outcomes(job)[0] is not None, what="the end of the old attempt"
        )
        assert outcomes(given_back)[0] is Outcome.RELEASED

        # Then both APIs know a request by its key, whichever had it first
        for first, second in ((old, new), (new, old)):
            body = text_to_image("steps=1")
            name = f"from-{first.base_url.port}"
            one = submitted(first, body, **key(name))
            again = second.post("/v1/jobs", json=body, **key(name))
            assert (again.status_code, again.json()["id"]) == (202, one["id"])
            assert again.headers["Idempotency-Replayed"] == "true"
            more.append(one)

        # and the old API stops the long job, which the new worker has, and nothing else is lost or done twice
        deployment.cluster.wait_until(interrupted, lambda job: len(job.attempts) == 2, 60, "another attempt")
        assert old.post(f"/v1/jobs/{interrupted.id}/cancel").status_code == 200
        cancelled = deployment.cluster.wait_for_end(interrupted)
        assert outcomes(cancelled) == [Outcome.RELEASED, Outcome.CANCELLED]
        assert (cancelled.fails, cancelled.crashes, cancelled.losses) == (0, 0, 0)
        for job in ended(deployment, [*more, {"id": short.id}]):
            check_result(new, job)

        # and the old API ends, and all goes on
        assert old_api.terminate() == 0
        check_result(new, ended(deployment, [submitted(new, text_to_image("steps=1"))])[0])
    count = len(of_old + of_new + more) + 2
    seen(f"{count} jobs succeeded, each once; the one that moved was given back uncounted")


@fault(
    33,
    "A worker meets a job whose record is of a newer schema",
    "left in the queue for newer workers, not failed; other jobs go past it",
)
def test_a_job_of_newer_code_waits_for_newer_workers(deployment: Deployment, seen: Seen) -> None:
    # Given a job that only the next release knows how to run, before two that this one knows
    cluster = deployment.cluster
    newer = cluster.submit("steps=1")
    cluster.state.hset(f"{PREFIX}j:{newer.id}", "schema", SCHEMA + 1)
    known = [cluster.submit("steps=1") for _ in range(2)]
    # When a worker of this one comes
    deployment.start_worker(deployment.new)
    # Then it does the two, and the other waits unharmed
    assert {cluster.wait_for_end(job).status for job in known} == {Status.SUCCEEDED}
    waiting = cluster.job(newer.id)
    assert (waiting.status, waiting.fails, waiting.attempts) == (Status.QUEUED, 0, ())
    # and when a worker knows it, it is done
    cluster.state.hset(f"{PREFIX}j:{newer.id}", "schema", SCHEMA)
    assert cluster.wait_for_end(newer).status is Status.SUCCEEDED
    seen("it waited while two jobs behind it were done, and ran once a worker knew its schema")


def test_webhooks_of_jobs_that_an_old_worker_has_done_are_told(
    deployment: Deployment, receiver: Receiver
) -> None:
    """Both APIs tell: each job once."""
    # Given both APIs beside an old worker
    deployment.start_api(deployment.new)
    with deployment.start_api(deployment.old).client() as client:
        deployment.start_worker(deployment.old)
        client.post("/v1/webhook-secret/rotate", json={})
        # When jobs with a webhook succeed, fail and are cancelled there
        prompts = ("steps=1", "fail=fatal", "steps=1", "sleep=0.2 steps=100")
        jobs = [submitted(client, text_to_image(prompt) | {"webhook": receiver.url}) for prompt in prompts]
        last = deployment.cluster.job(jobs[-1]["id"])
        deployment.cluster.wait_for_status(last, Status.RUNNING)
        client.post(f"/v1/jobs/{last.id}/cancel")
        found = ended(deployment, jobs)
        # Then each is told, once
        wait_for(lambda: len(receiver.told) >= len(jobs), 30, "a message for each job")
        deployment.start_worker(deployment.new)
        (also,) = ended(deployment, [submitted(client, text_to_image("steps=1") | {"webhook": receiver.url})])
        wait_for(lambda: len(receiver.told) > len(jobs), 30, "a message for the last job")
    told = [(body["data"]["id"], body["type"]) for _, body in receiver.told]
    assert sorted(told) == sorted((job.id, f"job.{job.status.value}") for job in [*found, also])
    assert len({message_id for message_id, _ in receiver.told}) == len(told)
    assert [job.status.value for job in found] == ["succeeded", "failed", "succeeded", "cancelled"]
