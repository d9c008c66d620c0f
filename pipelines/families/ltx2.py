"""LTX-2: videos with their sound, from words, or from words and a picture."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from diffusers import LTX2ImageToVideoPipeline, LTX2Pipeline
from numpy.typing import NDArray

from pipelines.base import Capabilities, Request
from pipelines.errors import EngineError, Problem
from pipelines.families._bucket import Bucket
from pipelines.families._diffusers import NEEDS
from pipelines.families._videos import VideoFamily
from pipelines.families.ltx import LTX
from pipelines.outputs import Sound, Video

NO_GUIDANCE = {
    **{"audio_guidance_scale": 1.0, "modality_scale": 1.0, "audio_modality_scale": 1.0},
    **{"stg_scale": 0.0, "audio_stg_scale": 0.0},
}
"""What goes with a `guidance` of 1 or less, so that it switches off all that the model knows."""


class LTX2(LTX):
    pipelines: ClassVar = {"text-to-video": LTX2Pipeline, "image-to-video": LTX2ImageToVideoPipeline}
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(
        max_batch=4, singly=("image-to-video",), previews=True, needs=(*NEEDS, "av")
    )
    tunable: ClassVar = (
        *("stg_scale", "modality_scale", "guidance_rescale", "spatio_temporal_guidance_blocks"),
        *("audio_guidance_scale", "audio_stg_scale", "audio_modality_scale", "audio_guidance_rescale"),
        *("sigmas", "use_cross_timestep", "motion_speed", "image_crf"),
    )
    readers: ClassVar = {"tokenizer": 1024}

    def problems(self, request: Request) -> list[Problem]:
        problems = super().problems(request)
        fixed = len(self.call.get("sigmas", ()))
        if fixed and request.inputs.steps != fixed:
            problems.append(Problem("/inputs/steps", f"this model takes {fixed} steps"))
        return problems

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        arguments = super().arguments(pipe, bucket) | {"output_type": "np"}
        if bucket.kind == "image-to-video":
            (arguments["image"],) = arguments["image"]  # it is compressed first, which takes no list
        return arguments | (NO_GUIDANCE if bucket.inputs.guidance <= 1 else {})

    def values(self, result: Any, bucket: Bucket) -> Sequence[Any]:
        rate = int(self.pipe.vocoder.config.output_sampling_rate)
        heard = result.audio.float().cpu().numpy()
        if not np.isfinite(heard).all():
            raise EngineError("the sound's numbers overflowed; another dtype may help")
        return [
            replace(video, sound=Sound(_as_long_as(video, samples.T, rate), rate))
            for video, samples in zip(VideoFamily.values(self, result, bucket), heard, strict=True)
        ]


def _as_long_as(video: Video, samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """The sound is made in pieces of some hundredths of a second: cut, or with silence after it."""
    wanted = round(Fraction(len(video.frames), 1) / video.fps * rate)
    silence = np.zeros((max(0, wanted - len(samples)), samples.shape[1]), np.float32)
    return np.ascontiguousarray(np.concatenate([samples[:wanted], silence]))
