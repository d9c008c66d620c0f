"""What a command may be given to start from, and which input takes it."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from atelier.cli.source import field_for, prompt, source
from atelier.records import Job

JOB_ID = "job_" + "a" * 24
UPLOAD_ID = "upl_" + "b" * 24


class Client:
    """Knows one job, as the server would tell of it."""

    def __init__(self, **job):
        self.job = Job.from_json({"id": JOB_ID, "model": "m", "status": "queued", "version": 1, **job})

    def get(self, job_id):
        assert job_id == JOB_ID
        return self.job


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (JOB_ID, {"job": JOB_ID}),
        (f"{JOB_ID}/0.mp4", {"job": JOB_ID, "artifact": "0.mp4"}),
        (UPLOAD_ID, {"upload": UPLOAD_ID}),
        ("https://example.org/a.png", {"url": "https://example.org/a.png"}),
    ],
)
def test_what_is_no_file_here(text, found):
    assert source(text) == found


def test_a_file_is_uploaded_later(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(b"png")
    assert source(str(file)) == file
    with pytest.raises(typer.BadParameter, match="there is no file"):
        source(str(tmp_path / "b.png"))


@pytest.mark.parametrize(
    ("found", "field"),
    [
        (Path("a.png"), "image"),
        (Path("a.MP4"), "video"),
        ({"url": "https://example.org/a.webm?x=.png"}, "video"),
        ({"url": "https://example.org/a"}, "image"),
        ({"upload": UPLOAD_ID}, "image"),
    ],
)
def test_the_field_of_a_file(found, field):
    assert field_for(SimpleNamespace(), found) == field


@pytest.mark.parametrize(
    ("job", "artifact", "field"),
    [
        ({"kind": "text-to-video", "inputs": {"prompt": "x"}}, None, "video"),
        ({"kind": "text-to-video", "inputs": {"prompt": "x"}}, "0.thumbnail.webp", "image"),
        ({"kind": "upscale", "inputs": {"video": {"upload": UPLOAD_ID}}}, None, "video"),
        ({"kind": "upscale", "inputs": {"image": {"upload": UPLOAD_ID}}}, None, "image"),
        ({"kind": "text-to-video", "inputs": {"newer": 1}}, None, "video"),
        (
            {
                "kind": "text-to-image",
                "inputs": {"prompt": "x"},
                "artifacts": [{"name": "film", "media_type": "video/mp4"}],
            },
            "film",
            "video",
        ),
    ],
)
def test_the_field_of_a_job_is_told_by_what_it_makes(job, artifact, field):
    found = {"job": JOB_ID} | ({"artifact": artifact} if artifact else {})
    assert field_for(Client(**job), found) == field


def test_a_prompt_is_words_or_a_job():
    assert prompt("a fox", None) == {"prompt": "a fox"}
    assert prompt(None, None) == {}
    assert prompt(None, f"{JOB_ID}/1.txt") == {"prompt": {"job": JOB_ID, "artifact": "1.txt"}}
    with pytest.raises(typer.BadParameter, match="not both"):
        prompt("a fox", JOB_ID)
    with pytest.raises(typer.BadParameter, match="no job's id"):
        prompt(None, "tale.txt")
