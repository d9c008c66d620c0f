"""The files of one output in each format, written once."""

from pathlib import Path

import pytest

from pipelines import media
from pipelines.outputs import File
from tests.media.samples import PROVENANCE, every_form


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, File]]:
    """By format, the files by the ends of their names: `written["mp4"]["thumbnail.webp"]`."""
    found = {}
    for form, output, inputs in every_form():
        folder: Path = tmp_path_factory.mktemp(form)
        files = media.write(output, folder, PROVENANCE, inputs)
        found[form] = {file.name.partition(".")[2]: file for file in files}
    return found
