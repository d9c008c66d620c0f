"""The house models load from the built-in catalog and run with its defaults."""

import os

import pytest

from pipelines.base import Request, load_pipeline
from pipelines.catalog import Catalog

CATALOG = Catalog.load()

pytestmark = pytest.mark.skipif(
    os.environ.get("CI") != "true" and not all(model.is_here() for model in CATALOG.models.values()),
    reason="the house models are not trained here",
)


@pytest.mark.parametrize("kind", ["text-to-image", "text"])
def test_the_default_model_is_whole_and_small(kind):
    model = CATALOG.default_for(kind)

    assert model.sha256, "the built-in rows state the digest of their weights"
    model.check_weights()
    size = sum(path.stat().st_size for path in model.weights.rglob("*") if path.is_file())
    assert size <= 15_000_000
    assert model.licence == "Apache-2.0"


def test_scenes_makes_a_picture():
    resolved = CATALOG.resolve("text-to-image", None, {"prompt": "a red circle, night", "seed": 1})
    pipeline = load_pipeline(resolved.model, "cpu")

    ((output,),) = pipeline.run(
        [Request("a", "text-to-image", resolved.inputs)], lambda step, total, previews=None: set()
    )

    assert output.value.size == (64, 64)
    assert len(output.value.getcolors(4096)) > 1


def test_tales_tells_a_tale():
    resolved = CATALOG.resolve("text", None, {"prompt": "Once upon a time", "seed": 1})
    pipeline, made = load_pipeline(resolved.model, "cpu"), {}

    class Emit:
        def stopped(self, request):
            return False

        def delta(self, request, index, text):
            made["streamed"] = made.get("streamed", "") + text

        def progress(self, request, step, total): ...

        def done(self, request, outputs):
            made["outputs"] = outputs

        def failed(self, request, error):
            raise error

    pipeline.serve([Request("a", "text", resolved.inputs)], Emit())

    (output,) = made["outputs"]
    assert output.value == made["streamed"]
    assert len(output.value.split()) > 5
