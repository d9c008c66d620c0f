"""Stable Audio Open: stereo sound and music of up to about 47 seconds."""

from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

import torch
from diffusers import StableAudioPipeline

from pipelines.base import Capabilities, Request
from pipelines.errors import Problem
from pipelines.families import _music
from pipelines.families._bucket import Bucket, Row
from pipelines.families._diffusers import NEEDS, DiffusersFamily


class StableAudio(DiffusersFamily):
    pipelines: ClassVar = {"text-to-music": StableAudioPipeline}
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(max_batch=8, needs=(*NEEDS, "numpy", "torchsde"))
    schedulers: ClassVar = {}

    @classmethod
    def dtypes(cls, dtype: torch.dtype) -> Any:
        """The transformer is told the time in its own format; in bfloat16 its first steps are all one."""
        return torch.float32 if dtype == torch.bfloat16 else dtype

    def problems(self, request: Request) -> list[Problem]:
        inputs = request.inputs
        config = self.pipe.transformer.config
        most = config.sample_size * self.pipe.vae.hop_length / self.pipe.vae.sampling_rate
        return [
            *super().problems(request),
            *_music.unheard(inputs, "lyrics", "temperature"),
            *_music.too_long(inputs.duration_seconds, most),
        ]

    def words(self, inputs: Any, field: str) -> str:
        return _music.described(inputs) if field == "prompt" else super().words(inputs, field)

    def alike(self, row: Row) -> Hashable:
        """With no negative prompt at all the pipeline steers away from nothing, not from empty words."""
        return bool(row.request.inputs.negative_prompt)

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        inputs = bucket.inputs
        return {
            "prompt": [_music.described(row.request.inputs) for row in bucket.rows],
            "negative_prompt": bucket.each("negative_prompt") if inputs.negative_prompt else None,
            "generator": bucket.generators(),
            "audio_end_in_s": inputs.duration_seconds,
            **_music.given(inputs, steps="num_inference_steps", guidance="guidance_scale"),
        }

    def values(self, result: Any, bucket: Bucket) -> Sequence[Any]:
        return [_music.as_sound(one, self.pipe.vae.sampling_rate) for one in result.audios]
