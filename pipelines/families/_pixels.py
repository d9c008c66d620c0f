"""Numbers that a pipeline made as pictures."""

import numpy as np
from PIL import Image

from pipelines.errors import EngineError


def as_bytes(pixels: np.ndarray) -> np.ndarray:
    """Floats of 0 to 1 as whole numbers of 0 to 255; raises EngineError where they are no numbers."""
    if not np.isfinite(pixels).all():
        raise EngineError("the model's numbers overflowed; another dtype may help")
    return (pixels * 255).round().astype(np.uint8)


def as_pictures(pixels: np.ndarray) -> list[Image.Image]:
    """Floats of 0 to 1, shape (pictures, height, width, 3), as pictures."""
    return [Image.fromarray(one) for one in as_bytes(pixels)]
