"""The client against a real API with a real worker."""

import hashlib
import io
import threading
import time

import pytest
from PIL import Image

from atelier import Client, errors

PICTURE = "text-to-image"


def picture(client: Client, prompt: str = "steps=2", **options: object):
    return client.submit(PICTURE, {"prompt": prompt}, model="test/fake", **options)


def story(client: Client, prompt: str = "steps=4", **inputs: object):
    return client.submit("text", {"prompt": prompt, **inputs}, model="test/fake-text")


def test_submit_wait_and_fetch(client, tmp_path):
    job = client.submit(
        PICTURE, {"prompt": "steps=2", "n": 2, "seed": 7}, model="test/fake", metadata={"album": "x"}
    )
    assert job.status in {"queued", "running"}
    assert job.metadata == {"album": "x"}

    job = client.wait(job.id, timeout=30)
    paths = client.artifacts(job, tmp_path / "out")

    assert job.status == "succeeded"
    assert job.created_at is not None
    assert job.finished_at is not None
    assert job.created_at <= job.finished_at
    assert [each.seed for each in job.outputs] == [7, 8]
    assert len(paths) == 2
    for path, artifact in zip(paths, job.outputs, strict=True):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == artifact.sha256
        with Image.open(path) as image:
            assert image.size == (artifact.width, artifact.height)
        assert client.read(job, artifact) == path.read_bytes()


def test_one_artifact_by_name(client, tmp_path):
    job = client.wait(picture(client).id, timeout=30)

    path = client.download(job, job.outputs[0].name, tmp_path / "mine.png")

    assert path == tmp_path / "mine.png"
    with pytest.raises(errors.NotFound):
        client.download(job, "nothing.png", tmp_path)


def test_changes_are_told_while_waiting(client):
    seen = []
    job = client.wait(picture(client, "sleep=0.3 steps=6").id, timeout=30, on_change=seen.append)

    assert job.status == "succeeded"
    fractions = [each.progress.fraction for each in seen if each.progress]
    assert fractions == sorted(fractions)
    assert len(set(fractions)) >= 3
    assert seen[-1] == job


@pytest.mark.parametrize("on_change", [None, lambda job: None])
def test_waiting_may_end_before_the_job_does(client, on_change):
    job = picture(client, "sleep=0.2 steps=100")
    started = time.monotonic()

    with pytest.raises(errors.WaitTimeout, match=job.id):
        client.wait(job.id, timeout=1.5, on_change=on_change)

    assert 1.0 < time.monotonic() - started < 4.0
    assert client.wait(client.cancel(job.id).id, timeout=10).status == "cancelled"


def test_a_failed_job_says_why(client):
    job = client.wait(picture(client, "fail=fatal").id, timeout=30)

    assert job.status == "failed"
    assert job.error is not None
    assert not job.error.retryable
    assert [each.outcome for each in job.attempts] == ["failed"]


def test_retry_is_a_new_job_with_the_same_inputs(client):
    first = client.wait(picture(client).id, timeout=30)

    second = client.wait(client.retry(first.id).id, timeout=30)

    assert second.id != first.id
    assert second.retry_of == first.id
    assert second.inputs == first.inputs
    assert second.outputs[0].sha256 != ""


def test_the_same_key_queues_one_job(client):
    one = picture(client, idempotency_key="only-once")

    assert picture(client, idempotency_key="only-once").id == one.id
    with pytest.raises(errors.InvalidInputs):
        picture(client, "other", idempotency_key="only-once")


def test_delete_removes_it(client):
    job = client.wait(picture(client).id, timeout=30)

    client.delete(job.id)

    with pytest.raises((errors.NotFound, errors.Gone)):
        client.get(job.id)


def test_all_jobs_are_listed_over_pages(client):
    made = [picture(client, "steps=1").id for _ in range(3)]
    for job_id in made:
        client.wait(job_id, timeout=30)

    assert [job.id for job in client.jobs(kind=PICTURE)][:3] == made[::-1]
    first = client.page(limit=2)
    assert first.next_cursor is not None
    second = client.page(limit=2, cursor=first.next_cursor)
    assert not {job.id for job in first.jobs} & {job.id for job in second.jobs}


def test_events_tell_the_whole_story(client):
    types = [each.type for each in client.stream(picture(client, "sleep=0.2 steps=3").id)]

    assert types[0] == "job.queued" or types[0] == "job.started"
    assert "job.started" in types
    assert types[-1] == "job.succeeded"


def test_a_stream_goes_on_after_an_event(client):
    job = picture(client, "sleep=0.2 steps=4")
    ids = list(dict.fromkeys(each.id for each in client.stream(job.id)))  # live progress has no id of its own

    rest = list(dict.fromkeys(each.id for each in client.stream(job.id, after=ids[1])))

    assert rest == ids[2:]
    assert list(client.stream(job.id, after=ids[-1])) == []


def test_text_comes_in_pieces_that_make_the_whole(client):
    job = story(client, "sleep=0.1 steps=12")
    parts = list(client.text(job.id))

    whole = client.read(client.get(job.id), client.get(job.id).outputs[0]).decode()
    assert not any(part.restarted for part in parts)
    assert "".join(part.text for part in parts) == whole
    assert len(parts) > 2


def test_text_of_a_finished_job_is_whole_too(client):
    job = client.wait(story(client).id, timeout=30)

    parts = list(client.text(job.id))

    assert "".join(part.text for part in parts) == client.read(job, job.outputs[0]).decode()


def test_a_path_among_the_inputs_is_uploaded(client, tmp_path):
    source = tmp_path / "source.png"
    Image.new("RGB", (64, 64), "red").save(source)

    job = client.submit("image-to-image", {"prompt": "steps=4", "image": source}, model="test/fake")

    assert client.wait(job.id, timeout=30).status == "succeeded"
    assert job.inputs["image"].keys() >= {"upload"}


def test_a_chain_hands_outputs_on(client):
    first, second = client.submit_chain(
        [
            {"ref": "one", "kind": PICTURE, "model": "test/fake", "inputs": {"prompt": "steps=1"}},
            {
                "ref": "two",
                "kind": "image-to-image",
                "model": "test/fake",
                "inputs": {"prompt": "steps=4", "image": {"job": "#one"}},
            },
        ]
    )

    assert client.wait(second.id, timeout=60).status == "succeeded"
    assert client.get(first.id).status == "succeeded"
    assert client.get(second.id).inputs["image"]["job"] == first.id


def test_a_file_that_is_no_picture_is_refused(client, tmp_path):
    source = tmp_path / "source.png"
    source.write_bytes(b"not a picture")

    with pytest.raises(errors.Refused):
        client.upload(source)


def test_invalid_inputs_name_the_field(client):
    with pytest.raises(errors.InvalidInputs) as caught:
        client.submit(PICTURE, {"prompt": "x", "steps": 100_000}, model="test/fake")

    assert [each.pointer for each in caught.value.problems] == ["/inputs/steps"]


@pytest.mark.parametrize(("kind", "model"), [("sculpture", None), (PICTURE, "no/such")])
def test_unknown_kinds_and_models_are_refused(client, kind, model):
    with pytest.raises(errors.InvalidInputs):
        client.submit(kind, {"prompt": "x"}, model=model)


def test_what_does_not_exist_is_not_found(client):
    with pytest.raises(errors.NotFound):
        client.get("job_" + "0" * 24)


def test_looking_round(client):
    assert "test/fake" in {each["id"] for each in client.models()}
    assert {PICTURE, "text"} <= {each["id"] for each in client.kinds()}
    assert "image" in {each["name"] for each in client.queues()}
    assert len(client.workers()) == 1
    assert client.ready()


def test_threads_share_a_client(client):
    ended = []
    jobs = [picture(client, "steps=1") for _ in range(4)]
    threads = [
        threading.Thread(target=lambda job=job: ended.append(client.wait(job.id, timeout=30).status))
        for job in jobs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ended == ["succeeded"] * 4


def test_the_picture_names_its_job(client):
    job = client.wait(picture(client).id, timeout=30)

    with Image.open(io.BytesIO(client.read(job, job.outputs[0]))) as image:
        assert job.id in str(image.info)
