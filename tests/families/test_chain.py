"""A chain from one submission, text → picture → video → larger video, on tiny models of the real classes; the
worker is killed in its midst."""

from collections.abc import Mapping

import psutil
import pytest

from atelier import Client
from atelier.records import Job
from tests.e2e.stack import Stack
from tests.servers import wait_for

END_SECONDS = 120.0

CHAIN = [
    {
        "ref": "words",
        "kind": "text",
        "model": "tiny/causal_lm",
        "inputs": {"prompt": "Once", "max_tokens": 8, "seed": 1},
    },
    {
        "ref": "picture",
        "kind": "text-to-image",
        "model": "tiny/stable_diffusion",
        "inputs": {"prompt": {"job": "#words"}, "width": 64, "height": 64, "steps": 4, "seed": 2},
    },
    {
        "ref": "clip",
        "kind": "image-to-video",
        "model": "tiny/ltx",
        "inputs": {
            "prompt": "it moves",
            "image": {"job": "#picture"},
            "width": 64,
            "height": 64,
            "frames": 9,
            "steps": 150,
            "seed": 3,
        },
    },
    {
        "ref": "large",
        "kind": "upscale",
        "model": "tiny/sd_x4",
        "inputs": {"video": {"job": "#clip"}, "steps": 2, "seed": 4},
    },
]


def ended(client: Client, jobs: list[Job]) -> list[Job]:
    done = [client.wait(job.id, timeout=END_SECONDS) for job in jobs]
    assert [job.status for job in done] == ["succeeded"] * len(CHAIN), [job.error for job in done]
    return done


def samples(jobs: list[Job]) -> list[Mapping[str, str | None]]:
    return [{artifact.name: artifact.sample_sha256 for artifact in job.artifacts} for job in jobs]


@pytest.fixture
def worker(stack: Stack) -> psutil.Process:
    return next(
        child
        for child in psutil.Process(stack.process.pid).children(recursive=True)
        if "workers" in child.cmdline() and "tether" not in " ".join(child.cmdline())
    )


def test_a_kill_in_the_midst_changes_nothing_in_the_result(
    client: Client, worker: psutil.Process, models: object
) -> None:
    whole = ended(client, client.submit_chain(CHAIN))
    assert [job.outputs[0].media_type for job in whole] == [
        "text/plain",
        "image/png",
        "video/mp4",
        "video/mp4",
    ]
    assert (whole[3].outputs[0].width, whole[3].outputs[0].frames) == (256, 9)

    jobs = client.submit_chain(CHAIN)
    clip = jobs[2].id
    wait_for(lambda: _runs(client, clip), END_SECONDS, "the video runs")
    worker.kill()
    again = ended(client, jobs)

    assert [attempt.outcome for attempt in again[2].attempts] == ["lost", "succeeded"]
    assert samples(again) == samples(whole)


def test_what_waits_for_a_cancelled_job_is_cancelled_with_it(client: Client, models: object) -> None:
    jobs = client.submit_chain(CHAIN)

    client.cancel(jobs[0].id)

    ends = [client.wait(job.id, timeout=END_SECONDS).status for job in jobs]
    assert ends in (["cancelled"] * 4, ["succeeded", *["cancelled"] * 3], ["succeeded"] * 4)


def _runs(client: Client, job_id: str) -> bool:
    job = client.get(job_id)
    return job.progress is not None and job.progress.step > 2
