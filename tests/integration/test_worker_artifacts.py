"""What a worker stores for each kind of output, and what the record says of it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from infra.jobs.record import Artifact, Job, Status
from pipelines import media
from tests.integration.cluster import Cluster

PICTURE = {"width": 64, "height": 64}
VIDEO = {**PICTURE, "duration_seconds": 0.5, "frames": 5, "fps": 10.0}
SOUND = {"duration_seconds": 1.0, "sample_rate": 16_000, "channels": 1}
WAVEFORM = {"width": 512, "height": 128}


def measures(artifact: Artifact) -> dict[str, Any]:
    names = ("width", "height", "duration_seconds", "frames", "fps", "sample_rate", "channels")
    return {name: getattr(artifact, name) for name in names if getattr(artifact, name) is not None}


def made(cluster: Cluster, prompt: str, model: str, inputs: dict[str, Any], **fields: Any) -> Job:
    job = cluster.wait_for_end(cluster.submit(prompt, model, inputs={"seed": 7, **inputs}, **fields))
    assert job.status is Status.SUCCEEDED, job.error
    return job


@pytest.mark.parametrize(
    ("prompt", "model", "inputs", "expected"),
    [
        ("a star", "test/fake", {"format": "webp"}, {"0.webp": PICTURE, "0.thumbnail.webp": PICTURE}),
        ("a star", "test/fake", {"format": "jpeg"}, {"0.jpg": PICTURE, "0.thumbnail.webp": PICTURE}),
        (
            "sound",
            "test/fake-video",
            {"fps": 10, "extras": ["gif", "frames"]},
            {
                "0.mp4": {**VIDEO, "sample_rate": 16_000, "channels": 1},
                "0.thumbnail.webp": PICTURE,
                "0.gif": {**PICTURE, "duration_seconds": 0.5, "frames": 5},
                "0.frames.zip": {"frames": 5},
            },
        ),
        (
            "a star",
            "test/fake-video",
            {"fps": 10, "format": "webm"},
            {"0.webm": VIDEO, "0.thumbnail.webp": PICTURE},
        ),
        (
            "score",
            "test/fake-music",
            {"duration_seconds": 1},
            {"0.flac": SOUND, "0.waveform.webp": WAVEFORM, "0.mid": {}},
        ),
        (
            "a star",
            "test/fake-music",
            {"duration_seconds": 1, "format": "ogg"},
            {"0.ogg": {**SOUND, "sample_rate": 48_000}, "0.waveform.webp": WAVEFORM},
        ),
    ],
)
def test_every_file_is_stored_as_its_record_says(
    shared_cluster: Cluster, prompt: str, model: str, inputs: dict[str, Any], expected: dict[str, Any]
) -> None:
    job = made(shared_cluster, prompt, model, inputs)

    assert {artifact.name: measures(artifact) for artifact in job.artifacts} == expected
    for artifact in job.artifacts:
        data = shared_cluster.read_artifact(job, artifact.name)
        assert (len(data), hashlib.sha256(data).hexdigest()) == (artifact.bytes, artifact.sha256)
    assert job.manifest is not None
    entries = json.loads(shared_cluster.storage.read(job.manifest))["artifacts"]
    told = {entry["name"]: (entry["role"], entry["duration_seconds"]) for entry in entries}
    assert told == {artifact.name: (artifact.role, artifact.duration_seconds) for artifact in job.artifacts}


def test_a_stored_sound_says_what_it_was_asked_for(shared_cluster: Cluster, tmp_path: Path) -> None:
    inputs = {"duration_seconds": 1, "tempo": 90, "instruments": ["violin", "piano"]}
    job = made(shared_cluster, "a slow walk", "test/fake-music", inputs)
    file = tmp_path / "0.flac"
    file.write_bytes(shared_cluster.read_artifact(job, file.name))

    told = media.read_history(file)

    assert told is not None
    wanted = {"prompt": "a slow walk", "tempo": "90", "instruments": '["violin", "piano"]', "seed": "7"}
    assert {name: told.get(name) for name in wanted} == wanted
    assert (told["job"], told["model"], told["kind"]) == (job.id, "test/fake-music", "text-to-music")
