"""What the headers say of a model is what its tensors hold once it is loaded."""

from typing import Any

import pytest

from pipelines.catalog import Catalog
from pipelines.sizes import size_of
from workers.engine_memory import DeviceMemory


@pytest.mark.parametrize(("name", "loaded"), [("tiny/sd", "stable_diffusion"), ("tiny/lm", "causal_lm")])
def test_a_size_is_foretold(catalog: Catalog, request: pytest.FixtureRequest, name: str, loaded: str) -> None:
    pipeline: Any = request.getfixturevalue(loaded)
    held = sum(DeviceMemory("cpu").held_by(pipeline).values())
    foretold = size_of(catalog.get(name), "cpu").loaded
    assert foretold <= held <= 1.01 * foretold, "buffers that no file holds, and the previews' table"
