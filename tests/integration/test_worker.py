"""One worker, by what it does with jobs of every kind. The fake family does what a prompt's words say."""

import hashlib
import io
import json
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from infra.connections import connect
from infra.jobs.events import Events
from infra.jobs.live import CHANNEL, Shown, read_live
from infra.jobs.record import Outcome, Status
from infra.storage.keys import upload_key
from tests.integration.api.support import png
from tests.integration.cluster import OWNER, Cluster, last_attempt, outcomes
from tests.servers import wait_for


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Cluster:
    return shared_cluster


def printed(cluster: Cluster) -> list[str]:
    """What the engines have printed, as the log has it."""
    return [record["printed"] for record in cluster.workers[0].records("engine.printed")]


def test_a_picture_is_made_stored_and_named_by_its_record(cluster: Cluster) -> None:
    # When
    job = cluster.wait_for_end(cluster.submit("steps=4 a star", inputs={"n": 2, "seed": 7}))
    # Then the record names two pictures and their thumbnails, whose bytes are as it says
    assert job.status is Status.SUCCEEDED
    assert outcomes(job) == [Outcome.SUCCEEDED]
    assert [file.name for file in job.artifacts] == [
        "0.png", "0.thumbnail.webp", "1.png", "1.thumbnail.webp"
    ]  # fmt: skip
    for file in job.artifacts:
        data = cluster.read_artifact(job, file.name)
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file.bytes, file.sha256)
    # and each picture says where it comes from
    with Image.open(io.BytesIO(cluster.read_artifact(job, "1.png"))) as picture:
        assert picture.info["prompt"] == "steps=4 a star"
        assert picture.info["model"] == "test/fake"
        assert picture.info["seed"] == "8"
        assert picture.info["job"] == job.id


def test_readers_can_check_everything_by_the_manifest(cluster: Cluster) -> None:
    job = cluster.wait_for_end(cluster.submit("a star", inputs={"seed": 7}))
    assert job.manifest is not None
    data = cluster.storage.read(job.manifest)
    assert hashlib.sha256(data).hexdigest() == job.manifest_sha256
    manifest = json.loads(data)
    assert {name: manifest[name] for name in ("job", "attempt", "model", "revision", "seed")} == {
        "job": job.id, "attempt": job.attempt_id, "model": "test/fake", "revision": "1", "seed": 7
    }  # fmt: skip
    assert manifest["inputs"] == job.inputs
    assert [(entry["name"], entry["sha256"]) for entry in manifest["artifacts"]] == [
        (file.name, file.sha256) for file in job.artifacts
    ]


def test_the_same_seed_gives_the_same_sample(cluster: Cluster) -> None:
    one, two = (cluster.wait_for_end(cluster.submit("a star", inputs={"seed": 3})) for _ in range(2))
    assert one.artifacts[0].sample_sha256 == two.artifacts[0].sample_sha256


def test_text_is_streamed_and_told_whole_before_the_end(cluster: Cluster) -> None:
    job = cluster.wait_for_end(cluster.submit("steps=20 sleep=0.15", "test/fake-text"))
    told = Events(cluster.state).read(job.id, after="0-1")
    types = [event.type for event in told]
    assert types[-1] == "job.succeeded"
    outputs = [event.data for event in told if event.type == "job.output"]
    assert len(outputs) > 2, "it was told in pieces"
    text = ""
    for data in outputs:
        assert (data["attempt"], data["index"], data["offset"]) == (job.attempt_id, 0, len(text))
        text += data["delta"]
    assert text == cluster.read_artifact(job, "0.txt").decode() == " ".join(f"word{n}" for n in range(20))


def test_live_progress_and_previews_are_shown(cluster: Cluster) -> None:
    # Given a watcher
    watcher = connect(cluster.settings.broker_address, timeout=10).pubsub(ignore_subscribe_messages=True)
    watcher.psubscribe(f"{CHANNEL}*")
    # When
    job = cluster.wait_for_end(cluster.submit("steps=25 sleep=0.15 preview"))
    # Then
    shown: list[Shown] = []

    def seen() -> bool:
        message = watcher.get_message()
        if message is not None and message["channel"] == CHANNEL + job.id:
            shown.append(read_live(message["data"]))
        return len({one.progress["step"] for one in shown}) > 3 and any(one.preview for one in shown)

    wait_for(seen, what="four steps and a preview")
    watcher.close()
    steps = [one.progress["step"] for one in shown]
    assert steps == sorted(steps)
    assert {one.progress["attempt_id"] for one in shown} == {job.attempt_id}


def test_a_doorbell_starts_a_job_at_once(cluster: Cluster) -> None:
    waits = []
    for _ in range(5):
        job = cluster.wait_for_end(cluster.submit("steps=1"))
        assert job.started_at is not None
        waits.append(job.started_at - job.created_at)
        wait_for(lambda: (info := cluster.info(cluster.workers[0])) is not None and info.parked)
    assert max(waits) < 10_000, "milliseconds; it looks by itself only every 30 s"


def test_a_running_job_is_cancelled_within_a_step(cluster: Cluster) -> None:
    job = cluster.submit("steps=200 sleep=0.2")
    cluster.wait_until(job, lambda found: found.progress)
    cancelled_at = time.monotonic()
    cluster.queue.cancel(job.id, OWNER)
    job = cluster.wait_for_end(job)
    assert time.monotonic() - cancelled_at < 5, "an exchange and a step, on a busy machine; it had 40 s to go"
    assert job.status is Status.CANCELLED
    assert outcomes(job) == [Outcome.CANCELLED]
    assert cluster.stored(job) == []


def test_an_engine_that_ignores_a_cancel_is_replaced(cluster: Cluster) -> None:
    engine = cluster.workers[0].wait_for_engine()
    job = cluster.submit("steps=200 sleep=0.2 ignore_stop")
    cluster.wait_until(job, lambda found: found.progress)  # before that the engine is not asked to stop
    cluster.queue.cancel(job.id, OWNER)
    assert cluster.wait_for_end(job).status is Status.CANCELLED
    assert cluster.workers[0].wait_for_engine(other_than=engine) != engine


def test_a_deadline_ends_a_running_job(cluster: Cluster) -> None:
    job = cluster.wait_for_end(cluster.submit("steps=200 sleep=0.2", deadline_seconds=5.0))
    assert (job.status, outcomes(job)) == (Status.FAILED, [Outcome.TIMED_OUT])
    assert job.error is not None
    assert job.error.type == "deadline_exceeded"


def test_a_failure_that_may_pass_is_tried_again(cluster: Cluster, tmp_path: Path) -> None:
    job = cluster.wait_for_end(cluster.submit(f"fail=retryable times=1 log={tmp_path}/log"))
    assert job.status is Status.SUCCEEDED
    assert outcomes(job) == [Outcome.FAILED, Outcome.SUCCEEDED]
    first = job.attempts[0]
    assert first.error is not None
    assert (first.error.type, first.error.retryable) == ("engine_error_transient", True)


def test_a_failure_that_will_not_pass_ends_the_job(cluster: Cluster) -> None:
    job = cluster.wait_for_end(cluster.submit("fail=fatal"))
    assert (job.status, outcomes(job)) == (Status.FAILED, [Outcome.FAILED])
    assert job.error is not None
    assert (job.error.type, job.error.title) == ("engine_error", "The model failed while it ran.")


def test_a_bug_in_a_family_is_logged_but_not_shown(cluster: Cluster) -> None:
    job = cluster.wait_for_end(cluster.submit("fail=bug"))
    assert job.error is not None
    assert job.error.detail == "The model failed with an unexpected ZeroDivisionError."
    wait_for(lambda: any("Traceback" in text and "ZeroDivisionError" in text for text in printed(cluster)))


def test_a_hung_engine_is_ended_and_the_job_runs_again(cluster: Cluster, tmp_path: Path) -> None:
    job = cluster.wait_for_end(cluster.submit(f"hang times=1 log={tmp_path}/log"))
    assert job.status is Status.SUCCEEDED
    assert outcomes(job) == [Outcome.CRASHED, Outcome.SUCCEEDED]
    assert job.attempts[0].error is not None
    assert job.attempts[0].error.type == "engine_hung"
    wait_for(
        lambda: any("misbehave_after" in text for text in printed(cluster)), what="a log of where it hung"
    )


def test_a_job_that_crashes_engines_is_given_up(cluster: Cluster) -> None:
    job = cluster.wait_for_end(cluster.submit("crash"))
    assert job.status is Status.FAILED
    assert outcomes(job) == [Outcome.CRASHED] * 3
    assert job.error is not None
    assert job.error.type == "worker_crashed"


def test_too_little_memory_is_tried_once_more_with_nothing_else_loaded(
    cluster: Cluster, tmp_path: Path
) -> None:
    job = cluster.wait_for_end(cluster.submit(f"oom times=1 log={tmp_path}/log"))
    assert outcomes(job) == [Outcome.SUCCEEDED]


def test_an_upload_is_fetched(cluster: Cluster) -> None:
    key = upload_key(OWNER, "upload_1")
    cluster.storage.put(key, png(), "image/png")
    inputs = {"image": {"upload": "upload_1"}}
    job = cluster.wait_for_end(cluster.submit("steps=3", kind="image-to-image", inputs=inputs))
    assert job.status is Status.SUCCEEDED


def test_another_jobs_artifact_is_fetched(cluster: Cluster) -> None:
    source = cluster.wait_for_end(cluster.submit("a star"))
    for reference in ({"job": source.id}, {"job": source.id, "artifact": "0.thumbnail.webp"}):
        job = cluster.submit("steps=3", kind="image-to-image", inputs={"image": reference})
        assert cluster.wait_for_end(job).status is Status.SUCCEEDED


@pytest.mark.parametrize("reference", [{"upload": "gone"}, {"job": "job_" + "0" * 24}])
def test_a_file_that_is_gone_fails_the_job(cluster: Cluster, reference: dict[str, str]) -> None:
    job = cluster.submit("steps=3", kind="image-to-image", inputs={"image": reference})
    job = cluster.wait_for_end(job)
    assert (job.status, outcomes(job)) == (Status.FAILED, [Outcome.FAILED])
    assert job.error is not None
    assert job.error.type == "input_missing"


def test_a_damaged_artifact_is_not_used(cluster: Cluster) -> None:
    source = cluster.wait_for_end(cluster.submit("a star"))
    assert source.manifest is not None
    cluster.storage.put(source.manifest.replace("manifest.json", "0.png"), b"damaged", "image/png")
    job = cluster.submit(
        "steps=3", kind="image-to-image", inputs={"image": {"job": source.id}}, max_attempts=1
    )
    job = cluster.wait_for_end(job)
    assert job.error is not None
    assert job.error.type == "input_damaged"


def test_a_model_that_does_not_load_costs_its_jobs_nothing(cluster: Cluster) -> None:
    # When
    job = cluster.submit("x", "test/fake-broken-load")
    # Then the job is given back with the reason, and waits; this worker serves its other models
    job = cluster.wait_until(job, lambda found: found.attempts and found.attempts[0].outcome)
    assert (job.status, outcomes(job), job.fails) == (Status.QUEUED, [Outcome.RELEASED], 0)
    assert job.attempts[0].error is not None
    assert job.attempts[0].error.type == "model_unavailable"
    assert cluster.wait_for_end(cluster.submit("a star")).status is Status.SUCCEEDED
    assert outcomes(cluster.job(job.id)) == [Outcome.RELEASED]
    cluster.queue.cancel(job.id, OWNER)


def test_a_job_of_a_model_that_is_not_here_waits(cluster: Cluster) -> None:
    far = cluster.submit("x", "test/fake-far")
    assert cluster.wait_for_end(cluster.submit("a star")).status is Status.SUCCEEDED
    assert cluster.job(far.id).status is Status.QUEUED
    cluster.queue.cancel(far.id, OWNER)


def test_a_model_that_is_added_is_served(cluster: Cluster) -> None:
    # Given a model that the worker's card does not list
    row = """
        [[model]]
        name = "test/added"
        family = "fake"
        kinds = ["text-to-image"]
        weights = "weights"
        queue = "image"
    """
    # When its row is written while the worker runs
    home = cluster.settings.home
    (home / "weights").mkdir(exist_ok=True)
    (home / "weights" / "behaviour.txt").touch()
    (home / "models.toml").write_text(row)
    # Then the next heartbeat lists it
    wait_for(
        lambda: (info := cluster.info(cluster.workers[0])) is not None and "test/added" in info.card.models
    )


def test_the_card_tells_what_is_warm(cluster: Cluster) -> None:
    cluster.wait_for_end(cluster.submit("a star"))

    def told() -> bool:
        info = cluster.info(cluster.workers[0])
        return info is not None and "test/fake" in info.card.warm

    wait_for(told, what="a card with the loaded model")


def test_the_parent_holds_no_torch_and_little_memory(cluster: Cluster) -> None:
    cluster.wait_for_end(cluster.submit("a star"))
    parent = psutil.Process(cluster.workers[0].pid)
    libraries = {Path(mapped.path).name for mapped in parent.memory_maps()}
    assert not [name for name in libraries if "torch" in name or "cuda" in name]
    assert parent.memory_info().rss < 150 * 1024 * 1024


def test_prompts_are_not_logged(cluster: Cluster) -> None:
    cluster.wait_for_end(cluster.submit("xylophone fail=bug"))
    cluster.wait_for_end(cluster.submit("xylophone", "test/fake-text"))
    assert "xylophone" not in cluster.workers[0].log.read_text()


def test_the_log_tells_each_attempts_end_with_its_job(cluster: Cluster) -> None:
    job = cluster.wait_for_end(cluster.submit("fail=fatal"))

    def ends() -> list[dict[str, object]]:
        records = cluster.workers[0].records("attempt.ended")
        return [record for record in records if record["job_id"] == job.id]

    wait_for(ends)
    (record,) = ends()
    assert (record["attempt_id"], record["outcome"]) == (last_attempt(job).id, "failed")
    assert record["error_type"] == "engine_error"
