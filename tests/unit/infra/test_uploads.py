"""Records of uploads: read whatever release wrote them."""

import json

import pytest
import redis

from infra.uploads import Uploads

RECORD = "atl:{g0}:upload:"


@pytest.fixture
def uploads(state: redis.Redis) -> Uploads:
    return Uploads(state, expires_seconds=60, owner_bytes=1000)


def test_a_sound_has_a_duration_and_no_size_in_pixels(uploads: Uploads) -> None:
    reserved = uploads.reserve(
        "alice", filename="a", media_type="audio/flac", size=5, sha256="x", duration_seconds=1.5
    )
    uploads.complete(reserved)
    found = uploads.get(reserved.id, "alice")
    assert (found.duration_seconds, found.frames, found.width) == (1.5, None, None)


def test_an_image_s_record_is_one_that_the_release_before_reads(uploads: Uploads, state: redis.Redis) -> None:
    upload = uploads.reserve(
        "alice", filename="a", media_type="image/png", size=5, sha256="x", width=8, height=8
    )
    assert set(json.loads(str(state.get(RECORD + upload.id)))) == {
        "id", "owner", "filename", "media_type", "bytes", "sha256",
        "width", "height", "created_at", "expires_at", "complete",
    }  # fmt: skip


def test_a_newer_release_s_record_is_read_too(uploads: Uploads, state: redis.Redis) -> None:
    upload = uploads.reserve(
        "alice", filename="a", media_type="image/png", size=5, sha256="x", width=8, height=8
    )
    record = json.loads(str(state.get(RECORD + upload.id)))
    state.set(RECORD + upload.id, json.dumps({**record, "complete": True, "colour": "red"}))
    assert uploads.get(upload.id, "alice").width == 8
