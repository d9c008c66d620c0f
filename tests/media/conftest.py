"""The files of one output in each format, written once."""

from pathlib import Path

import pytest

from pipelines import media
from pipelines.outputs import File
from pipelines.provenance import NO_MARKS, Marks
from pipelines.provenance.credential import local_credential
from pipelines.provenance.deployment import DeploymentMarks
from tests.media.samples import PROVENANCE, every_form

Written = dict[str, dict[str, File]]
"""By format, the files by the ends of their names: `written["mp4"]["thumbnail.webp"]`."""


def write_every_form(folder: Path, marks: Marks) -> Written:
    found: Written = {}
    for form, output, inputs in every_form():
        (folder / form).mkdir()
        files = media.write(output, folder / form, PROVENANCE, inputs, marks)
        found[form] = {file.name.partition(".")[2]: file for file in files}
    return found


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Without marks."""
    return write_every_form(tmp_path_factory.mktemp("plain"), NO_MARKS)


@pytest.fixture(scope="session")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """With a watermark, and signed."""
    marks = DeploymentMarks(7, local_credential(tmp_path_factory.mktemp("credential") / "c2pa"))
    return write_every_form(tmp_path_factory.mktemp("marked"), marks)


@pytest.fixture(params=["plain", "marked"])
def written(request: pytest.FixtureRequest) -> Written:
    """Both ways: no mark may keep a file from being opened."""
    files: Written = request.getfixturevalue(request.param)
    return files
