"""Outputs that were marked as a deployment marks them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pipelines import media
from pipelines.base import Output
from pipelines.outputs import File, Sound, Video
from pipelines.provenance.credential import Credential, local_credential
from pipelines.provenance.deployment import DeploymentMarks
from tests.watermark.pictures import leaves

PROVENANCE = {
    "prompt": "a fox",
    "kind": "text-to-image",
    "model": "house/scenes",
    "revision": "abc",
    "job": "job_0123456789abcdef01234567",
}
NUMBER = 321

Make = Callable[..., File]


@pytest.fixture(scope="session")
def credential(tmp_path_factory: pytest.TempPathFactory) -> Credential:
    return local_credential(tmp_path_factory.mktemp("home") / "credential")


@pytest.fixture
def make(credential: Credential, tmp_path: Path) -> Make:
    """Writes an output in a format, marked; its file."""

    def make(form: str, marks: DeploymentMarks | None = None) -> File:
        folder = tmp_path / f"made-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        marks = marks or DeploymentMarks(NUMBER, credential)
        inputs = SimpleNamespace(format=form, extras=[])
        return media.write(Output(0, _value(form), 1), folder, PROVENANCE, inputs, marks)[0]

    return make


def picture() -> Image.Image:
    return leaves((320, 320), np.random.default_rng(5))


def _value(form: str) -> Image.Image | Video | Sound:
    if form in ("png", "webp", "jpeg"):
        return picture()
    times = np.linspace(0, 1, 48_000, dtype=np.float32)
    sound = Sound(np.stack([np.sin(times * 3000)] * 2, axis=1) / 3, 48_000)
    if form in ("mp4", "webm"):
        return Video(np.stack([np.asarray(picture())] * 8), 8, sound)
    return sound
