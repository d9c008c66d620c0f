"""The rows of models that can be pulled agree with the families that would run them."""

import inspect
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from pipelines.base import load_family
from pipelines.catalog import Catalog
from pipelines.models import Model
from pipelines.safety.classifiers import GROUP

ROWS = Catalog.load().not_offered


@pytest.mark.parametrize("model", ROWS.values(), ids=ROWS)
def test_its_family_does_its_kinds_and_takes_its_options(model: Model) -> None:
    if not model.kinds:
        (classifier,) = entry_points(group=GROUP, name=model.family)
        inspect.signature(classifier.load().load).bind(Path(), **model.options)
        return
    family = load_family(model.family)

    assert set(model.kinds) <= set(family.kinds)
    inspect.signature(family.load).bind(Path(), "cpu", model.dtype, **model.options)
