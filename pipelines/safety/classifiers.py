"""Classifiers: what tells the categories of a picture. A row of the catalog without kinds is one.

They are found by entry points of the group `atelier.classifiers`, by the row's `family`.
"""

from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipelines.errors import ModelUnavailable
from pipelines.models import Model

if TYPE_CHECKING:
    from PIL.Image import Image

GROUP = "atelier.classifiers"
"""Entry point group in which a package names its classifiers."""


class Classifier(Protocol):
    """Tells which categories of `pipelines.safety.CATEGORIES` are in pictures."""

    @classmethod
    def load(cls, weights: Path, **options: Any) -> "Classifier":
        """A classifier from the weights in a local folder, with the row's options; raises
        ModelUnavailable.
        """

    def found_in(self, pictures: "Sequence[Image]") -> set[str]:
        """The categories that one of the pictures belongs to."""


def load_classifier(model: Model) -> Classifier:
    """A classifier of the catalog, its weights checked; raises ModelUnavailable."""
    model.check_weights()
    found = next(iter(entry_points(group=GROUP, name=model.family)), None)
    if found is None:
        raise ModelUnavailable(f"no classifier {model.family!r} is installed here")
    classifier: Classifier = found.load().load(model.weights, **model.options)
    return classifier
