"""AudioLDM 2: mono music and sound at 16 kHz, from a picture of its frequencies."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from diffusers import AudioLDM2Pipeline
from transformers import GPT2LMHeadModel

from pipelines.base import Capabilities, Request
from pipelines.errors import Problem
from pipelines.families import _music
from pipelines.families._bucket import Bucket, Row
from pipelines.families._diffusers import NEEDS, DiffusersFamily

FORESEEN = 8
"""Lines that the language model writes for the UNet, where its configuration does not say."""


class AudioLDM2(DiffusersFamily):
    pipelines: ClassVar = {"text-to-music": AudioLDM2Pipeline}
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(max_batch=8, needs=(*NEEDS, "numpy"))
    schedulers: ClassVar = {}
    readers: ClassVar = {"tokenizer": None, "tokenizer_2": None}

    @classmethod
    def loaded_parts(cls, weights: Path, dtype: Any) -> dict[str, Any]:
        """Saved models name a GPT-2 class that does not write any more."""
        folder = weights / "language_model"
        model = GPT2LMHeadModel.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, local_files_only=True
        )
        return {"language_model": model}

    def problems(self, request: Request) -> list[Problem]:
        return [
            *super().problems(request),
            *_music.unheard(request.inputs, "lyrics", "temperature"),
            *self._unread_negative(request.inputs),
        ]

    def _unread_negative(self, inputs: Any) -> list[Problem]:
        """The pipeline cuts the negative prompt to the length of the prompt."""
        most, tokens = (
            self.tokens("tokenizer_2", self.words(inputs, field)) for field in ("prompt", "negative_prompt")
        )
        if tokens <= most:
            return []
        detail = f"has {tokens} tokens; this model reads no more of it than the prompt has, {most}"
        return [Problem("/inputs/negative_prompt", detail)]

    def words(self, inputs: Any, field: str) -> str:
        return _music.described(inputs) if field == "prompt" else super().words(inputs, field)

    def alike(self, row: Row) -> Hashable:
        """The language model counts padding as places, so prompts of one length only go together."""
        return tuple(
            self.tokens("tokenizer_2", self.words(row.request.inputs, field))
            for field in ("prompt", "negative_prompt")
        )

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        inputs = bucket.inputs
        return {
            "prompt": [_music.described(row.request.inputs) for row in bucket.rows],
            "negative_prompt": bucket.each("negative_prompt"),
            "generator": bucket.generators(),
            "audio_length_in_s": inputs.duration_seconds,
            "max_new_tokens": getattr(pipe.language_model.config, "max_new_tokens", None) or FORESEEN,
            **_music.given(inputs, steps="num_inference_steps", guidance="guidance_scale"),
        }

    def values(self, result: Any, bucket: Bucket) -> Sequence[Any]:
        rate = self.pipe.vocoder.config.sampling_rate
        return [_music.as_sound(torch.from_numpy(one)[None], rate) for one in result.audios]
