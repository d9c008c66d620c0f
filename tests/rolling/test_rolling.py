"""A rolling upgrade: the API and the workers of the release before run beside ours, on one state server."""

from hashlib import sha256
from typing import Any

import httpx

from infra.connections import connect
from infra.jobs.answers import Limits
from infra.jobs.operator import Operator, What
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
    # Given the release before, at work; the API is renewed first
    old_api = deployment.start_api(deployment.old)
    old_worker = deployment.start_worker(deployment.old)
    new_api = deployment.start_api(deployment.new)
    with old_api.client() as old, new_api.client() as new:
        # When an old worker does jobs of both APIs
        by_both = [job for client in (old, new) for job in one_of_each(client)]
        for job in ended(deployment, by_both):
            check_result(new, job)
            check_result(old, job)
        assert {deployment.cluster.job(job["id"]).schema for job in by_both} == {1, SCHEMA}

        # and a new one comes, both APIs show everything, and the old one is drained in the midst of a job
        deployment.start_worker(deployment.new)
        check_readable((old, new), [deployment.cluster.job(job["id"]) for job in by_both])
        long = [submitted(client, text_to_image("steps=50 sleep=0.1")) for client in (old, new)]
        running = [
            deployment.cluster.wait_until(deployment.cluster.job(job["id"]), lambda found: found.progress)
            for job in long
        ]
        info = deployment.cluster.info(old_worker)
        assert info is not None
        (interrupted,) = (job for job in running if job.attempts[-1].worker == info.card.id)
        old_worker.terminate()
        more = [job for client in (new, old) for job in one_of_each(client)]
        assert old_worker.wait() == 0

        # Then both APIs know a request by its key, whichever had it first
        for first, second in ((old, new), (new, old)):
            body = text_to_image("steps=1")
            name = f"from-{first.base_url.port}"
            one = submitted(first, body, **key(name))
            again = second.post("/v1/jobs", json=body, **key(name))
            assert (again.status_code, again.json()["id"]) == (202, one["id"])
            assert again.headers["Idempotency-Replayed"] == "true"
            more.append(one)

        # and nothing is lost, nothing done twice, and no attempt counted against a job
        for job in ended(deployment, more):
            check_result(new, job)
        for job in ended(deployment, long):
            check_result(new, job)
        moved = deployment.cluster.job(interrupted.id)
        assert outcomes(moved) == [Outcome.RELEASED, Outcome.SUCCEEDED]
        assert moved.attempts[-1].worker != info.card.id

        # and the old API ends, and all goes on
        assert old_api.terminate() == 0
        check_result(new, ended(deployment, [submitted(new, text_to_image("steps=1"))])[0])
    count = len(by_both + long + more) + 1
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
    with connect(cluster.settings.state_address) as state:
        state.hset(f"{PREFIX}j:{newer.id}", "schema", SCHEMA + 1)
        known = [cluster.submit("steps=1") for _ in range(2)]
        # When a worker of this one comes
        deployment.start_worker(deployment.new)
        # Then it does the two, and the other waits unharmed
        assert {cluster.wait_for_end(job).status for job in known} == {Status.SUCCEEDED}
        waiting = cluster.job(newer.id)
        assert (waiting.status, waiting.fails, waiting.attempts) == (Status.QUEUED, 0, ())
        # and when a worker knows it, it is done
        state.hset(f"{PREFIX}j:{newer.id}", "schema", SCHEMA)
    assert cluster.wait_for_end(newer).status is Status.SUCCEEDED
    seen("it waited while two jobs behind it were done, and ran once a worker knew its schema")


def test_webhooks_of_jobs_that_an_old_worker_has_done_are_told(
    deployment: Deployment, receiver: Receiver
) -> None:
    """Code of release 1 knows no webhooks: our tick finds what it left untold."""
    # Given the new API beside an old worker, and an old API whose tick tells nobody
    deployment.start_api(deployment.old)
    deployment.start_worker(deployment.old)
    with deployment.start_api(deployment.new).client() as client:
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


def test_what_operators_do_holds_once_the_old_workers_are_gone(deployment: Deployment) -> None:
    """Code of release 1 knows no pauses and no front: it does no harm to them."""
    # Given an old worker and the new API, a paused queue, and a raised job
    old_worker = deployment.start_worker(deployment.old)
    operator = Operator(
        connect(deployment.cluster.settings.state_address), limits=Limits(), ring=deployment.cluster.ring
    )
    busy = deployment.cluster.submit("steps=30 sleep=0.1")
    deployment.cluster.wait_for_status(busy, Status.RUNNING)
    waiting = [deployment.cluster.submit("steps=1") for _ in range(3)]
    operator.front(waiting[-1].id)
    operator.pause(What.QUEUE, "image", "admin")
    # When the old one, which does not heed that, takes one of them, ends, and a new one comes
    for job in [busy, waiting[0]]:
        deployment.cluster.wait_for_end(job, seconds=60)
    old_worker.terminate()
    assert old_worker.wait() == 0
    deployment.start_worker(deployment.new)
    late = deployment.cluster.submit("steps=1")
    # Then the pause holds, and all is done when it is taken back
    assert deployment.cluster.job(late.id).status is Status.QUEUED
    operator.resume(What.QUEUE, "image")
    for job in [*waiting, late]:
        found = deployment.cluster.wait_for_end(job, seconds=60)
        assert (found.status, outcomes(found).count(Outcome.SUCCEEDED)) == (Status.SUCCEEDED, 1)
