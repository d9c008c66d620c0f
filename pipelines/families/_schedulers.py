"""Samplers of diffusers: which may be asked for by name, and the one place where each of their steps is seen.

Pipelines tell of their steps in different ways, some not at all, but all of them call `scheduler.step`.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    UniPCMultistepScheduler,
)

NOISE = {
    "ddim": DDIMScheduler,
    "euler": EulerDiscreteScheduler,
    "euler-ancestral": EulerAncestralDiscreteScheduler,
    "heun": HeunDiscreteScheduler,
    "dpm-solver": DPMSolverMultistepScheduler,
    "unipc": UniPCMultistepScheduler,
    "lcm": LCMScheduler,
}
"""For models that were trained to foresee noise, by the name that requests use."""

FLOW = {
    "euler": FlowMatchEulerDiscreteScheduler,
    "unipc": UniPCMultistepScheduler,
}
"""For models that were trained on straight flows from noise to sample."""


def like(own: Any, wanted: Any) -> Any:
    """A scheduler of the class `wanted` with the settings of the model's own."""
    settings = dict(own.config)
    if wanted is DDIMScheduler:
        # Its default is meant for pixels; latents lie beyond −1 and 1.
        settings.setdefault("clip_sample", False)
    flows = FlowMatchEulerDiscreteScheduler
    if isinstance(own, flows) and wanted is not flows:
        settings |= {"use_flow_sigmas": True, "prediction_type": "flow_prediction", "flow_shift": own.shift}
    elif wanted is flows and "flow_shift" in settings:
        settings["shift"] = settings["flow_shift"]
    return wanted.from_config(settings)


def most_steps(scheduler: Any) -> int | None:
    """How many steps it can be asked for; None: any number. LCM takes some of those that a model was
    distilled from."""
    most: int | None = scheduler.config.get("original_inference_steps")
    return most


@dataclass(frozen=True)
class Step:
    """One call of a scheduler's `step`."""

    scheduler: Any
    output: torch.Tensor
    """What the model said."""
    sample: torch.Tensor
    """The latents before."""
    latents: torch.Tensor
    """The latents after."""
    result: Any

    def foreseen(self) -> torch.Tensor:
        """The final latents as they look from here, where the scheduler lets us know; else those of now."""
        if isinstance(self.scheduler, FlowMatchEulerDiscreteScheduler):
            sigma = self.scheduler.sigmas[self.scheduler.step_index - 1]
            return self.sample.float() - sigma * self.output.float()
        last = self.scheduler.model_outputs[-1] if _remembers_samples(self.scheduler) else self.result[-1]
        return last if isinstance(last, torch.Tensor) and last.shape == self.latents.shape else self.latents


def _remembers_samples(scheduler: Any) -> bool:
    """Whether it goes by the final latents that it foresaw at its last steps, and has them still."""
    if isinstance(scheduler, UniPCMultistepScheduler):
        return bool(scheduler.config.predict_x0)
    if isinstance(scheduler, DPMSolverMultistepScheduler):
        return str(scheduler.config.algorithm_type).endswith("dpmsolver++")
    return False


@contextmanager
def after_each_step(scheduler: Any, tell: Callable[[Step], None]) -> Iterator[None]:
    """Call `tell` after each `step` of `scheduler`; what it raises ends the pipeline's call.

    The scheduler becomes one of a class that tells. So copies that a pipeline makes of it (for a second
    latent, such as the sound of a video) step by themselves, and are not told of: only its own steps count.
    """
    plain = type(scheduler)

    @functools.wraps(plain.step)  # pipelines look at the signature to see which arguments it takes
    def step(self: Any, model_output: Any, timestep: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        result = plain.step(self, model_output, timestep, sample, *args, **kwargs)
        if self is scheduler:
            tell(Step(self, model_output, sample, result[0], result))
        return result

    scheduler.__class__ = type(plain.__name__, (plain,), {"step": step, "__module__": plain.__module__})
    try:
        yield
    finally:
        scheduler.__class__ = plain
