"""MusicGen, mono and stereo: music as tokens of a sound codec, written one after the other."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from transformers import (
    AutoTokenizer,
    LogitsProcessor,
    LogitsProcessorList,
    MusicgenForConditionalGeneration,
)

from pipelines.base import Capabilities, Output, Progress, Request, buckets
from pipelines.errors import EngineError, InvalidInputs, Problem
from pipelines.families import _music
from pipelines.families import _torch as torch_support
from pipelines.families._bucket import Bucket, Row
from pipelines.families._run import halving
from pipelines.media import read_sound
from pipelines.seeds import output_seed

TOP_K = 250
"""Tokens among which one is drawn, where the model does not say: as MusicGen was evaluated."""


class MusicGen:
    kinds: ClassVar = ("text-to-music", "continue-music")
    capabilities: ClassVar = Capabilities(
        max_batch=8, needs=("torch", "transformers", "safetensors", "av", "numpy")
    )

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.codebooks: int = model.decoder.config.num_codebooks
        self.channels: int = model.decoder.config.audio_channels
        self.delay = self.codebooks // self.channels - 1
        """Tokens after the first codebook's that the last one's come; the two sides of a stereo sound go
        together."""
        codec = model.audio_encoder.config
        self.rate: int = codec.sampling_rate
        self.frame_rate: int = codec.frame_rate
        self.hop = self.rate // self.frame_rate
        """Samples in one frame of tokens."""
        self.most_seconds = (model.decoder.config.max_position_embeddings - self.delay - 1) / self.frame_rate
        own = model.generation_config
        self.guidance = own.guidance_scale or 1.0
        self.temperature = own.temperature or 1.0
        self.top_k = own.top_k or TOP_K
        own.update(do_sample=False, temperature=None, top_k=None, max_length=None)  # `Draw` does it

    @classmethod
    def load(cls, weights: Path, device: str, dtype: str) -> Self:
        """The model and the tokenizer saved in `weights`."""
        with torch_support.load_errors_translated(weights):
            model = MusicgenForConditionalGeneration.from_pretrained(
                weights,
                dtype=torch_support.dtype_of(dtype, device),
                use_safetensors=True,
                local_files_only=True,
            )
            tokenizer = AutoTokenizer.from_pretrained(weights, local_files_only=True)
            return cls(model.eval().to(device), tokenizer)

    def run(self, batch: list[Request], progress: Progress) -> list[list[Output]]:
        """Music for each request; all have one `batch_key`. Halves the buckets where one does not fit."""
        if problems := [problem for request in batch for problem in self.problems(request)]:
            raise InvalidInputs(problems)
        with torch.inference_mode():
            return halving(
                self.capabilities.max_batch,
                lambda largest: _Run(self, batch, progress, largest).outputs(),
            )

    def problems(self, request: Request) -> list[Problem]:
        """What in the request this model cannot do as it is asked."""
        inputs = request.inputs
        problems = _music.unheard(inputs, "negative_prompt", "lyrics", "steps")
        tokens = len(self.tokenizer(_music.described(inputs), verbose=False).input_ids)
        if tokens > self.tokenizer.model_max_length:
            most = self.tokenizer.model_max_length
            problems.append(
                Problem("/inputs/prompt", f"has {tokens} tokens; this model reads at most {most}")
            )
        return problems

    def new_frames(self, inputs: Any) -> int:
        """How many frames of tokens a request asks for."""
        frames: int = math.ceil(inputs.duration_seconds * self.frame_rate)
        return frames


class _Run:
    """One batch. Rows that continue recordings of one length stand in one bucket."""

    def __init__(self, family: MusicGen, batch: list[Request], progress: Progress, largest: int) -> None:
        self.family, self.batch, self.progress, self.largest = family, batch, progress, largest
        self.begun = [self._read(request) for request in batch]
        self.stopped: set[int] = set()
        self.tokens_done = 0

    def outputs(self) -> list[list[Output]]:
        """The outputs of each request; none of one that was stopped."""
        made: dict[int, list[Output]] = {number: [] for number in range(len(self.batch))}
        waiting = self._rows()
        while waiting := [rows for rows in map(self._wanted, waiting) if rows]:
            left = [size for rows in waiting for size in buckets(len(rows), self.largest)]
            now, waiting[0] = waiting[0][: left[0]], waiting[0][left[0] :]
            for row, output in zip(now, self._bucket(Bucket(now), len(left)), strict=True):
                made[row.number].append(output)
        return [[] if number in self.stopped else outputs for number, outputs in made.items()]

    def _read(self, request: Request) -> torch.Tensor | None:
        """The recording that a request continues, as (channels, samples)."""
        if "audio" not in request.files:
            return None
        family = self.family
        sound = torch.from_numpy(read_sound(request.files["audio"], family.rate, family.channels).T)
        begun = math.ceil(sound.shape[1] / family.hop)
        seconds = (begun + family.new_frames(request.inputs)) / family.frame_rate
        if problems := _music.too_long(seconds, family.most_seconds):
            raise InvalidInputs(problems)
        return sound

    def _rows(self) -> list[list[Row]]:
        """All rows, those together that may share a bucket."""
        groups: dict[int, list[Row]] = {}
        for number, (request, begun) in enumerate(zip(self.batch, self.begun, strict=True)):
            group = groups.setdefault(0 if begun is None else begun.shape[1], [])
            seed = request.inputs.seed
            group += [
                Row(number, request, index, output_seed(seed, index)) for index in range(request.inputs.n)
            ]
        return list(groups.values())

    def _wanted(self, rows: list[Row]) -> list[Row]:
        return [row for row in rows if row.number not in self.stopped]

    def _bucket(self, bucket: Bucket, buckets_left: int) -> list[Output]:
        """What the rows make, together."""
        family, inputs = self.family, bucket.inputs
        frames = family.new_frames(inputs)
        tokens = frames + family.delay
        total = self.tokens_done + tokens * buckets_left

        def tell() -> None:
            self.tokens_done += 1
            self.stopped |= self.progress(self.tokens_done, total)

        heard = family.model.generate(
            **self._arguments(bucket),
            max_new_tokens=tokens,
            guidance_scale=family.guidance if inputs.guidance is None else inputs.guidance,
            logits_processor=_DrawLast([Draw(family, bucket, tell)]),
        )
        end = heard.shape[-1] - frames * family.hop + round(inputs.duration_seconds * family.rate)
        return [
            Output(
                row.index,
                _music.as_sound(samples[:, :end], family.rate),
                row.seed,
                bucket=len(bucket),
                row=place,
            )
            for place, (row, samples) in enumerate(zip(bucket.rows, heard, strict=True))
        ]

    def _arguments(self, bucket: Bucket) -> dict[str, torch.Tensor]:
        model = self.family.model
        words = [_music.described(row.request.inputs) for row in bucket.rows]
        read = self.family.tokenizer(words, padding=True, return_tensors="pt").to(model.device)
        arguments = {"input_ids": read.input_ids, "attention_mask": read.attention_mask}
        begun = [sound for row in bucket.rows if (sound := self.begun[row.number]) is not None]
        if begun:
            arguments["input_values"] = torch.stack(begun).to(model.device, model.dtype)
            arguments["padding_mask"] = torch.ones_like(arguments["input_values"][:, 0], dtype=torch.long)
        return arguments


class Draw(LogitsProcessor):
    """Draws each token with the random numbers of its row's own generator, on the CPU.

    Noise of the Gumbel distribution is added, and generation takes the largest sum: that draws a token as
    often as sampling does, and the same one whoever the row's neighbours are and whatever the device is.
    """

    def __init__(self, family: MusicGen, bucket: Bucket, tell: Callable[[], None]) -> None:
        asked = bucket.inputs.temperature
        self.temperature = family.temperature if asked is None else asked
        self.top_k = family.top_k
        self.codebooks = family.codebooks
        self.generators = bucket.generators()
        self.tell = tell

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (rows × codebooks, tokens) with the noise; what `tell` raises ends the generation."""
        self.tell()
        if not scores.isfinite().all():
            raise EngineError("the model's numbers overflowed; another dtype may help")
        if self.temperature == 0:
            return scores
        scores = scores.float() / self.temperature
        least = scores.topk(min(self.top_k, scores.shape[1])).values[:, -1:]
        noise = gumbel(self.generators, (self.codebooks, scores.shape[1])).to(scores.device)
        return scores.masked_fill(scores < least, -torch.inf) + noise.flatten(0, 1)


class _DrawLast(LogitsProcessorList):
    """`generate` appends the guidance to the processors that it is given; drawing comes after it."""

    def append(self, processor: LogitsProcessor) -> None:
        self.insert(len(self) - 1, processor)


def gumbel(generators: Sequence[torch.Generator], shape: tuple[int, ...]) -> torch.Tensor:
    """(generators, *shape): −log of exponential numbers has the Gumbel distribution."""
    waits = torch.stack([torch.empty(shape).exponential_(generator=one) for one in generators])
    return -waits.clamp_min(torch.finfo(torch.float32).tiny).log()
