"""What the music families share: a request's fields in words, and what would not be heard."""

from typing import Any

import numpy as np
import torch

from pipelines.errors import EngineError, Problem
from pipelines.outputs import Sound

WHY_NOT = {
    "negative_prompt": "this model takes no negative prompt",
    "lyrics": "this model does not sing",
    "steps": "this model writes tokens, so it has no denoising steps",
    "guidance": "this model keeps to its prompt without guidance",
    "temperature": "this model denoises, so it chooses no tokens",
}


def described(inputs: Any) -> str:
    """The prompt, with tempo, key, metre and instruments as words, for models that read words only.

    `a slow waltz, with piano and violin, 90 bpm, in A minor, in 3/4 time`
    """
    parts = [
        inputs.prompt.strip(),
        f"with {' and '.join(inputs.instruments)}" if inputs.instruments else "",
        f"{inputs.tempo} bpm" if inputs.tempo else "",
        f"in {inputs.key}" if inputs.key else "",
        f"in {inputs.metre} time" if inputs.metre else "",
    ]
    return ", ".join(part for part in parts if part)


def unheard(inputs: Any, *fields: str) -> list[Problem]:
    """Those of `fields` that a request gives, to a model that has no use for them."""
    given = (field for field in fields if getattr(inputs, field) not in ("", None))
    return [Problem(f"/inputs/{field}", WHY_NOT[field]) for field in given]


def too_long(seconds: float, most: float) -> list[Problem]:
    """Whether a piece is longer than the model can hold."""
    if seconds <= most:
        return []
    detail = f"makes {seconds:g} seconds, with what it continues; this model holds at most {most:g}"
    return [Problem("/inputs/duration_seconds", detail)]


def as_sound(samples: torch.Tensor, rate: int) -> Sound:
    """(channels, samples) of a model as a sound; raises EngineError where they are no numbers."""
    heard = samples.detach().float().cpu().numpy()
    if not np.isfinite(heard).all():
        raise EngineError("the model's numbers overflowed; another dtype may help")
    return Sound(np.ascontiguousarray(heard.T), rate)


def given(inputs: Any, **names: str) -> dict[str, Any]:
    """Arguments for those fields that have a value; the pipeline has its own defaults for the others."""
    found = {name: getattr(inputs, field) for field, name in names.items()}
    return {name: value for name, value in found.items() if value is not None}
