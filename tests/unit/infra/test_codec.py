"""Artifacts in the record: short, and read by the releases beside this one."""

import json

from infra.jobs.codec import dump_artifacts, read_artifacts
from infra.jobs.record import Artifact

OLD = {
    "name": "0.png", "index": 0, "role": "output", "seed": None, "media_type": "image/png",
    "bytes": 1, "sha256": "ab", "sample_sha256": None, "width": 8, "height": None,
}  # fmt: skip
"""As the release before wrote it."""

VIDEO = Artifact(
    "0.mp4", 0, "output", 7, "video/mp4", 1, "ab", "cd", 64, 48, 0.5, 12, 24.0, 44_100, 2, {"tempo": 90}
)


def test_what_an_artifact_does_not_have_is_not_written() -> None:
    (written,) = json.loads(dump_artifacts([Artifact("0.txt", 0, "output", None, "text/plain", 1, "ab")]))
    assert written == {name: OLD[name] for name in ("index", "role", "seed", "bytes", "sha256")} | {
        "name": "0.txt",
        "media_type": "text/plain",
    }


def test_all_that_it_has_comes_back() -> None:
    assert read_artifacts(dump_artifacts([VIDEO])) == (VIDEO,)


def test_older_and_newer_ones_are_read() -> None:
    found = read_artifacts(json.dumps([OLD, {**OLD, "invented_later": 1}]))
    assert found == (Artifact("0.png", 0, "output", None, "image/png", 1, "ab", width=8),) * 2
