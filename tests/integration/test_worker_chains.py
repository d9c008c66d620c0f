"""From words to a large video in one chain, on real workers; what the fake family makes depends on what it is
given.
"""

from typing import Any

from infra.jobs.record import Job, NewJob, Outcome, Status, new_job_id
from tests.integration.cluster import OWNER, Cluster, outcomes
from tests.servers import wait_for

TALE = "steps=4 sleep=0.3"


def queued(cluster: Cluster, *links: tuple[str, str, dict[str, Any]]) -> list[Job]:
    """A chain of jobs, as the API would enqueue it: kind, model, inputs that name earlier ones by number."""
    ids = [new_job_id() for _ in links]
    jobs = []
    for job_id, (kind, model, inputs) in zip(ids, links, strict=True):
        named = {
            name: {"job": ids[value["link"]]} if isinstance(value, dict) and "link" in value else value
            for name, value in inputs.items()
        }
        resolved = cluster.catalog.resolve(kind, model, {"seed": 5, **named})
        needed = tuple(dict.fromkeys(ref.job for ref in resolved.inputs.references().values()))
        jobs.append(
            NewJob(
                id=job_id,
                owner=OWNER,
                kind=kind,
                model=model,
                queue=resolved.model.queue,
                inputs=resolved.inputs.as_json(),
                cost=resolved.cost,
                waits_for=needed,
            )
        )
    return list(cluster.queue.enqueue(jobs).jobs)


def whole_chain(cluster: Cluster) -> list[Job]:
    return queued(
        cluster,
        ("text", "test/fake-text", {"prompt": TALE}),
        ("text-to-image", "test/fake", {"prompt": {"link": 0}}),
        ("image-to-video", "test/fake-video", {"prompt": {"link": 0}, "image": {"link": 1}}),
        ("upscale", "test/fake", {"video": {"link": 2}}),
    )


def ended(cluster: Cluster, jobs: list[Job]) -> list[Job]:
    return [cluster.wait_for_end(job, seconds=60) for job in jobs]


def samples(jobs: list[Job]) -> list[str]:
    return [job.artifacts[0].sample_sha256 for job in jobs]


def test_a_killed_worker_changes_nothing_in_what_a_chain_makes(cluster: Cluster) -> None:
    # Given what the chain makes when nothing happens
    workers = [cluster.start_worker(lease_seconds=3.0) for _ in range(2)]
    expected = ended(cluster, whole_chain(cluster))
    assert [job.status for job in expected] == [Status.SUCCEEDED] * 4
    assert expected[1].artifacts[0].name == "0.png"
    assert (expected[3].artifacts[0].name, expected[3].artifacts[0].width) == ("0.mp4", 128)
    # When the worker that writes the tale is killed in the midst of it
    jobs = whole_chain(cluster)
    cluster.wait_for_step(jobs[0], 1)
    cluster.worker_of(cluster.job(jobs[0].id)).kill()
    # Then another one does it again, and all is as before
    found = ended(cluster, jobs)
    assert [job.status for job in found] == [Status.SUCCEEDED] * 4
    assert outcomes(found[0]) == [Outcome.LOST, Outcome.SUCCEEDED]
    assert samples(found) == samples(expected)
    assert sum(worker.process.poll() is None for worker in workers) == 1


def test_words_that_are_no_prompt_fail_the_job_that_needs_them(cluster: Cluster) -> None:
    cluster.start_worker()
    tale, picture = queued(
        cluster,
        ("text", "test/fake-text", {"prompt": "big=4000"}),
        ("text-to-image", "test/fake", {"prompt": {"link": 0}}),
    )

    assert cluster.wait_for_end(tale).status is Status.SUCCEEDED
    failed = cluster.wait_for_end(picture)
    assert failed.status is Status.FAILED
    assert failed.error is not None
    assert failed.error.type == "invalid_inputs"
    assert "prompt: must have at most 4000 characters" in failed.error.detail


def test_a_chain_is_cancelled_with_what_it_waits_for(cluster: Cluster) -> None:
    jobs = whole_chain(cluster)
    cluster.queue.cancel(jobs[0].id, OWNER)
    wait_for(
        lambda: all(cluster.job(job.id).status is Status.CANCELLED for job in jobs),
        10,
        "the end of the whole chain",
    )
