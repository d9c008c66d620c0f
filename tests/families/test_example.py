"""The example of docs/families.md is installed as its page says, and runs."""

import re
import tomllib
from pathlib import Path

import pytest

from pipelines.base import Request, load_pipeline
from pipelines.catalog import Catalog
from pipelines.errors import Stopped

PAGE = Path(__file__).parents[2] / "docs" / "families.md"


def block(language, containing):
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return next(text for text in found if containing in text)


@pytest.fixture
def pipeline_and_catalog(tmp_path, monkeypatch):
    (tmp_path / "stripes.py").write_text(block("python", "class Stripes"))
    entry_points = tomllib.loads(block("toml", "entry-points"))["project"]["entry-points"]
    (tmp_path / "stripes-1.dist-info").mkdir()
    (tmp_path / "stripes-1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: stripes\nVersion: 1\n"
    )
    (tmp_path / "stripes-1.dist-info" / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in names.items())
            for group, names in entry_points.items()
        )
    )
    (tmp_path / "models.toml").write_text(block("toml", 'family = "stripes"'))
    (tmp_path / "stripes").mkdir()
    (tmp_path / "stripes" / "shades.txt").write_text("4")
    monkeypatch.syspath_prepend(tmp_path)
    catalog = Catalog.load([tmp_path / "models.toml"])
    assert catalog.problems == ()
    return load_pipeline(catalog.get("me/stripes"), "cpu"), catalog


def test_it_makes_pictures_that_a_seed_repeats(pipeline_and_catalog):
    pipeline, catalog = pipeline_and_catalog
    inputs = catalog.resolve("text-to-image", "me/stripes", {"prompt": "stripes", "seed": 3, "n": 2}).inputs

    def run():
        return pipeline.run([Request("a", inputs.kind, inputs)], lambda step, total, previews=None: set())

    ((first, second),) = run()
    assert (first.seed, second.seed) == (3, 4)
    assert first.value.size == (512, 512)
    assert len(first.value.getcolors()) == 4
    assert first.value.tobytes() == run()[0][0].value.tobytes() != second.value.tobytes()


def test_it_stops(pipeline_and_catalog):
    pipeline, catalog = pipeline_and_catalog
    inputs = catalog.resolve("text-to-image", "me/stripes", {"prompt": "stripes"}).inputs
    batch = [Request(name, inputs.kind, inputs) for name in "ab"]

    first, second = pipeline.run(batch, lambda step, total, previews=None: {0})
    assert (first, len(second)) == ([], 1)

    def all_stopped(step, total, previews=None):
        raise Stopped

    with pytest.raises(Stopped):
        pipeline.run(batch, all_stopped)


def test_it_is_as_short_as_promised():
    lines = [line for line in block("python", "class Stripes").splitlines() if line.strip()]
    assert len(lines) <= 30
