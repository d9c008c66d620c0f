"""ACE-Step 1.5: songs, with words that are sung, in stereo at 48 kHz, of up to ten minutes."""

import math
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

import torch
from diffusers import AceStepPipeline

from pipelines.base import Capabilities, Request
from pipelines.errors import InvalidInputs, Problem
from pipelines.families import _music
from pipelines.families._bucket import Bucket, Row
from pipelines.families._diffusers import NEEDS, DiffusersFamily
from pipelines.media import read_sound

MOST_WORDS = {"prompt": 256, "lyrics": 2048}
"""Tokens that its encoders read, with the headings that the pipeline writes round the words."""

NOT_SUNG = "[Instrumental]"
"""The lyrics of a piece without any."""

MOST_SECONDS = 600


class AceStep(DiffusersFamily):
    pipelines: ClassVar = {"text-to-music": AceStepPipeline, "continue-music": AceStepPipeline}
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(
        max_batch=8, singly=("continue-music",), needs=(*NEEDS, "numpy", "av")
    )
    schedulers: ClassVar = {}
    readers: ClassVar = {}

    def __init__(self, pipe: Any, language: str = "en", **more: Any) -> None:
        """Sound is decoded in pieces of half a minute: ten minutes at once would take tens of gigabytes."""
        super().__init__(pipe, **{"tiling": True, **more})
        self.language = language
        """In which lyrics are sung, as a code of ISO 639."""

    def problems(self, request: Request) -> list[Problem]:
        inputs = request.inputs
        problems = [*super().problems(request), *_music.unheard(inputs, "temperature")]
        if self.pipe.is_turbo and (inputs.guidance or 0) > 1:
            detail = "this model's guidance is built in: leave it out, or give 1"
            problems.append(Problem("/inputs/guidance", detail))
        for field, tokens in zip(MOST_WORDS, self.lengths(inputs), strict=True):
            if tokens > (most := MOST_WORDS[field]):
                problems.append(
                    Problem(f"/inputs/{field}", f"has {tokens} tokens; this model reads at most {most}")
                )
        return problems

    def lengths(self, inputs: Any) -> tuple[int, ...]:
        """How many tokens the prompt and the lyrics have, as the pipeline writes them."""
        texts = self.pipe._format_prompt(
            self.prompt(inputs), self.lyrics(inputs), self.language, **self.told(inputs)
        )
        return tuple(self.tokens("tokenizer", text) for text in texts)

    def alike(self, row: Row) -> Hashable:
        """The transformer hears padding, so that only prompts and lyrics of one length go together."""
        return self.lengths(row.request.inputs)

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        inputs = bucket.inputs
        arguments = {
            "prompt": [self.prompt(row.request.inputs) for row in bucket.rows],
            "lyrics": [self.lyrics(row.request.inputs) for row in bucket.rows],
            "vocal_language": [self.language] * len(bucket),
            "generator": bucket.generators(),
            **self.told(inputs),
            **_music.given(inputs, steps="num_inference_steps", guidance="guidance_scale"),
        }
        if pipe.is_turbo:
            arguments["guidance_scale"] = 1.0
        if bucket.kind == "continue-music":
            arguments |= self.continued(bucket)
        return arguments

    def prompt(self, inputs: Any) -> str:
        """The words, and the instruments; the rest goes into fields of the pipeline's own."""
        bare = inputs.model_copy(update={"tempo": None, "key": None, "metre": None})
        return _music.described(bare)

    def lyrics(self, inputs: Any) -> str:
        return inputs.lyrics.strip() or NOT_SUNG

    def told(self, inputs: Any) -> dict[str, Any]:
        """What the pipeline has fields for; one value for all rows, which have it in common."""
        return {
            "audio_duration": inputs.duration_seconds,
            "bpm": inputs.tempo,
            "keyscale": inputs.key,
            "timesignature": inputs.metre.partition("/")[0] if inputs.metre else None,
        }

    def begun(self, row: Row) -> torch.Tensor:
        """The recording that a row continues, as (channels, samples)."""
        return torch.from_numpy(read_sound(row.request.files["audio"], self.pipe.sample_rate, channels=2).T)

    def continued(self, bucket: Bucket) -> dict[str, Any]:
        """The recording with silence after it, which is painted over."""
        (row,) = bucket.rows
        begun, rate = self.begun(row), self.pipe.sample_rate
        seconds = begun.shape[1] / rate
        whole = seconds + bucket.inputs.duration_seconds
        if problems := _music.too_long(whole, MOST_SECONDS):
            raise InvalidInputs(problems)
        hop = round(rate / self.pipe.latents_per_second)
        samples = math.ceil(whole * rate / hop) * hop
        torch.manual_seed(row.seed)  # the codec draws from torch's own numbers when it reads the recording
        return {
            "task_type": "repaint",
            "src_audio": torch.nn.functional.pad(begun, (0, samples - begun.shape[1])),
            "audio_duration": whole,
            "repainting_start": seconds,
            "repainting_end": whole,
        }

    def values(self, result: Any, bucket: Bucket) -> Sequence[Any]:
        rate = self.pipe.sample_rate
        samples = round(bucket.inputs.duration_seconds * rate)
        if bucket.kind == "continue-music":
            samples += self.begun(bucket.rows[0]).shape[1]
        return [_music.as_sound(one[:, :samples], rate) for one in result.audios]
