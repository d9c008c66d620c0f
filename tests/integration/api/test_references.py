"""Inputs that are files or texts of elsewhere: each must be of the sort that its field takes."""

from typing import Any

import httpx
import pytest

from pipelines.kinds import KINDS
from tests import media_samples
from tests.integration.api.support import Hand, Json, png, problem, submitted

MODELS = {"video": "test/fake-video", "music": "test/fake-music", "text": "test/fake-text"}


def model_of(kind: str) -> str:
    word = {"chat": "text", "code": "text"}.get(kind, kind.rpartition("-")[2])
    return MODELS.get(word, "test/fake")


def body_of(kind: str, **inputs: Any) -> Json:
    return {"kind": kind, "model": model_of(kind), "inputs": {**KINDS[kind].example, **inputs}}


def upscale(**given: Any) -> Json:
    return {"kind": "upscale", "model": "test/fake", "inputs": given}


def upload(client: httpx.Client, data: bytes) -> str:
    answer = client.post("/v1/uploads", content=data, headers={"Content-Type": "application/octet-stream"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def refused(client: httpx.Client, body: Any) -> list[tuple[str, str]]:
    found = problem(client.post("/v1/jobs", json=body), 422, "invalid_inputs")
    return [(error["pointer"], error["detail"]) for error in found["errors"]]


@pytest.fixture
def given(client: httpx.Client) -> dict[str, Json]:
    """An upload of each sort."""
    samples = {
        "image": png(),
        "video": media_samples.video("libvpx-vp9", "webm"),
        "audio": media_samples.sound("flac", "flac"),
    }
    return {media: {"upload": upload(client, data)} for media, data in samples.items()}


def test_each_field_takes_uploads_of_its_sort_only(client: httpx.Client, given: dict[str, Json]) -> None:
    for kind, cls in KINDS.items():
        if not cls.media:
            continue
        if kind == "upscale":
            ways = [{"image": given["image"]}, {"video": given["video"]}]
            wrong = [{"image": given["video"]}, {"video": given["image"]}]
            bodies, bad = [upscale(**way) for way in ways], [upscale(**way) for way in wrong]
        else:
            right = {field: given[media] for field, media in cls.media.items()}
            other = {
                field: given["audio" if media != "audio" else "image"] for field, media in cls.media.items()
            }
            bodies, bad = [body_of(kind, **right)], [body_of(kind, **other)]
        for body in bodies:
            submitted(client, body)
        for body in bad:
            fields = [field for field in cls.media if field in body["inputs"]]
            found = refused(client, body)
            assert [pointer for pointer, _ in found] == [f"/inputs/{field}/upload" for field in fields]
            assert all("is needed" in detail for _, detail in found)


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"inpaint", "video-to-video", "continue-music"}))
def test_a_job_that_is_not_finished_is_known_by_what_it_will_make(client: httpx.Client, kind: str) -> None:
    examples = {"image": {"upload": upload(client, png())}} if "image" in KINDS[kind].media else {}
    source = submitted(client, body_of(kind, **examples))
    makes = KINDS[kind].outputs
    users = {
        "image": upscale(image={"job": source["id"]}),
        "video": upscale(video={"job": source["id"]}),
        "audio": body_of("continue-music", audio={"job": source["id"]}),
        "text": body_of("text-to-image", prompt={"job": source["id"]}),
    }
    for media, body in users.items():
        if media == makes:
            assert submitted(client, body)["waits_for"] == [source["id"]]
        else:
            ((pointer, detail),) = refused(client, body)
            assert pointer.endswith("/job")
            assert detail.startswith("That job makes a")


def test_a_named_artifact_that_is_not_there_yet_is_known_by_its_name(client: httpx.Client) -> None:
    film = submitted(client, body_of("text-to-video"))

    still = submitted(client, upscale(image={"job": film["id"], "artifact": "0.thumbnail.webp"}))
    assert still["waits_for"] == [film["id"]]
    for name in ("0.thumbnail.webp", "0.frames.zip"):
        ((pointer, _),) = refused(client, upscale(video={"job": film["id"], "artifact": name}))
        assert pointer == "/inputs/video/artifact"


def test_an_upscale_of_a_video_makes_a_video(client: httpx.Client) -> None:
    film = submitted(client, body_of("text-to-video"))
    larger = submitted(client, upscale(video={"job": film["id"]}))

    assert larger["inputs"]["format"] == "mp4"
    assert submitted(client, upscale(video={"job": larger["id"]}))["waits_for"] == [larger["id"]]
    ((pointer, _),) = refused(client, upscale(image={"job": larger["id"]}))
    assert pointer == "/inputs/image/job"


def test_the_words_of_a_finished_job_are_named(client: httpx.Client, hand: Hand) -> None:
    tale = submitted(client, body_of("text"))
    hand.finish({"0.txt": b"a fox"})

    job = submitted(client, body_of("text-to-image", prompt={"job": tale["id"]}))

    assert job["inputs"]["prompt"] == {"job": tale["id"], "artifact": "0.txt"}
    assert "waits_for" not in job


def test_a_picture_is_no_prompt(client: httpx.Client, hand: Hand) -> None:
    picture = submitted(client)
    hand.finish()
    ((pointer, detail),) = refused(client, body_of("text", prompt={"job": picture["id"]}))
    assert (pointer, detail) == (
        "/inputs/prompt/artifact",
        "That artifact is image/png; a text is needed.",
    )


def long_chain(**last: Any) -> list[Json]:
    """A tale, its picture, its film, and the film larger."""
    return [
        {"ref": "tale", **body_of("text")},
        {"ref": "still", **body_of("text-to-image", prompt={"job": "#tale"})},
        {"ref": "film", **body_of("image-to-video", prompt={"job": "#tale"}, image={"job": "#still"})},
        {"ref": "large", **upscale(**(last or {"video": {"job": "#film"}}))},
    ]


def test_one_submission_from_words_to_a_large_video(client: httpx.Client) -> None:
    answer = client.post("/v1/jobs", json=long_chain())
    assert answer.status_code == 202, answer.text
    tale, still, film, large = answer.json()["data"]
    assert still["waits_for"] == [tale["id"]]
    assert film["waits_for"] == [tale["id"], still["id"]]
    assert large["waits_for"] == [film["id"]]


@pytest.mark.parametrize(
    ("last", "pointer"),
    [
        ({"image": {"job": "#film"}}, "/3/inputs/image/job"),
        ({"video": {"job": "#still"}}, "/3/inputs/video/job"),
        ({"video": {"job": "#tale"}}, "/3/inputs/video/job"),
        ({"video": {"job": "#film"}, "prompt": {"job": "#still"}}, "/3/inputs/prompt/job"),
        ({"video": {"job": "#film"}, "prompt": {"job": "#large"}}, "/3/inputs/prompt/job"),
        ({"video": {"job": "#film"}, "image": {"job": "#still"}}, "/3/inputs/image"),
    ],
)
def test_a_link_that_does_not_fit_refuses_the_whole_chain(
    client: httpx.Client, last: dict[str, Any], pointer: str
) -> None:
    assert [where for where, _ in refused(client, long_chain(**last))] == [pointer]
    assert client.get("/v1/jobs").json()["data"] == []
