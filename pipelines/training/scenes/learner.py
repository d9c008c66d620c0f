"""The whole training of the scenes model as one course of three stages, each on what the one before made.

1. the autoencoder learns to draw what it sees;
2. the text encoder learns to read, while throwaway heads tell the scene's parts from its states;
3. the denoiser learns to paint what was read, and the decoder goes on learning, its latents as they are.

Started from an exported model, each stage goes on from its part of it: flat pictures keep their latents, and
captions that name no style keep their states, so that what the denoiser knows stays true.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from pipelines.training.course import dice, rate
from pipelines.training.optimizers import half_products
from pipelines.training.pictures import sheet
from pipelines.training.scenes import autoencoder, denoiser, text
from pipelines.training.scenes.captions import caption
from pipelines.training.scenes.draw import draw
from pipelines.training.scenes.evaluate import held_out_prompts, paint
from pipelines.training.scenes.sampling import random_scene
from pipelines.training.scenes.vocabulary import Scene


@dataclass(frozen=True)
class Plan:
    """Steps and highest rates of the three stages."""

    autoencoder: int
    text: int
    denoiser: int
    autoencoder_rate: float = 1e-3
    text_rate: float = 2e-3
    denoiser_rate: float = 8e-4


FROM_NOTHING = Plan(autoencoder=8_000, text=3_000, denoiser=13_000)
FROM_A_MODEL = Plan(
    autoencoder=1_200, text=150, denoiser=4_500, autoencoder_rate=6e-4, text_rate=1e-3, denoiser_rate=5e-4
)
BATCH = 32  # pictures of the denoiser's step
SILENT = 0.1  # share of captions left empty, for classifier-free guidance (Ho and Salimans 2022)
POOL = 2_000  # scenes and their latents, each met with fresh words every time
FRESH = 8  # scenes that each step puts in the place of the oldest of the pool
DECODER_EVERY, DECODER_RATE = 2, 3e-4  # steps of the denoiser to one of the decoder
AVERAGE = 0.998  # keeps about the last five hundred steps
DECAY = 0.01  # of weights


class Pool:
    """The scenes of the last POOL / FRESH steps; the same at a step whether training was resumed or not."""

    def __init__(self, fresh: Callable[[int], tuple[list[Scene], Tensor]]) -> None:
        self.fresh, self.filled = fresh, deque[tuple[list[Scene], Tensor]](maxlen=POOL // FRESH)
        self.next: int | None = None

    def at(self, number: int) -> tuple[list[Scene], Tensor]:
        """Scenes, and their latents (POOL, C, 16, 16), when step `number` has added its own."""
        if self.next != number:
            self.next = number + 1 - POOL // FRESH
        while self.next <= number:
            self.filled.append(self.fresh(self.next))
            self.next += 1
        return [scene for part, _ in self.filled for scene in part], torch.cat(
            [part for _, part in self.filled]
        )


class Scenes:
    """All parts, one optimizer a stage; a Learner of the course."""

    name = "scenes"

    def __init__(self, seed: int = 0, begin_with: Path | None = None, plan: Plan | None = None) -> None:
        self.plan = plan or (FROM_A_MODEL if begin_with else FROM_NOTHING)
        self.seed, self.begun = seed, begin_with
        dice(seed, -1)
        if begin_with:
            vae, reader, self.tokenizer, self.unet = _parts_of(begin_with)
            self.reads_like = copy.deepcopy(reader.eval()).requires_grad_(False)
            self.tokenizer = text.extended(self.tokenizer, text.words_of_captions())
            reader = text.grown(reader, len(self.tokenizer))
        else:
            vae, self.tokenizer, self.unet = autoencoder.build(), text.build_tokenizer(), denoiser.build()
            reader, self.reads_like = text.build(self.tokenizer), None
        self.autoencoder = autoencoder.Normalised(vae, anchored=begin_with is not None)
        self.autoencoder.to(memory_format=torch.channels_last)
        self.reader = text.Reader(reader)
        self.average = denoiser.Average(self.unet, AVERAGE)
        self.schedule = denoiser.scheduler()
        self.optimizers = [_adam(part) for part in (self.autoencoder.model, self.reader, self.unet)]
        self._pool = Pool(self._fresh)

    @property
    def steps(self) -> int:
        return self.plan.autoencoder + self.plan.text + self.plan.denoiser

    def step(self, number: int) -> dict[str, float]:
        """A step of the stage that `number` falls into. Each stage has its own name for its loss."""
        plan = self.plan
        if number < plan.autoencoder:
            self._rate(0, rate(number, plan.autoencoder, plan.autoencoder_rate))
            return {"drawing": self._draw(number)}
        number -= plan.autoencoder
        if number < plan.text:
            self._rate(1, rate(number, plan.text, plan.text_rate))
            return {"reading": self._read(number)}
        number -= plan.text
        self._rate(2, rate(number, plan.denoiser, plan.denoiser_rate))
        return {"painting": self._paint(number)}

    def _draw(self, number: int) -> float:
        self.autoencoder.train()
        pixels, flat = autoencoder.batch(dice(self.seed, number), whole=number % 3 == 0)
        return self._descend(0, self.autoencoder.model, autoencoder.loss(self.autoencoder, pixels, flat))

    def _read(self, number: int) -> float:
        self.reader.train()
        throw = dice(self.seed + 1, number)
        scenes = [random_scene(throw, throw.choice(text.CURRICULUM)) for _ in range(text.BATCH)]
        words = [caption(scene, throw) for scene in scenes]
        ids = text.tokens(self.tokenizer, [wording.text for wording in words])
        loss = self.reader.loss(ids, torch.tensor([text.parts(scene) for scene in scenes]))
        if self.reads_like:
            unstyled = ids[[wording.style is None for wording in words]]
            with torch.no_grad():
                before = self.reads_like(unstyled).last_hidden_state
            now = self.reader.encoder(unstyled).last_hidden_state
            loss = loss + text.LIKENESS * (now - before).square().mean()
        return self._descend(1, self.reader, loss)

    def _paint(self, number: int) -> float:
        self.unet.train()
        self.reader.eval()
        batch = self._batch(number)
        with half_products():
            loss = denoiser.loss(self.unet, self.schedule, *batch)
        figure = self._descend(2, self.unet, loss)
        self.average.update(self.unet, number + 1)
        if number % DECODER_EVERY == 0:
            self._decode(number)
        return figure

    def _decode(self, number: int) -> None:
        """A step of the decoder alone."""
        self._rate(0, rate(number, self.plan.denoiser, DECODER_RATE))
        pixels, _ = autoencoder.batch(dice(self.seed + 4, number), whole=number % 8 == 0)
        self.autoencoder.eval()
        loss = autoencoder.decoder_loss(self.autoencoder, pixels)
        self._descend(0, self.autoencoder.model.decoder, loss)

    @torch.no_grad()
    def _batch(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """Latents (B, C, 16, 16), states (B, TOKENS, WIDTH) of fresh wordings, some empty, and weights."""
        scenes, latents = self._pool.at(number)
        throw = dice(self.seed + 2, number)
        chosen = [throw.randrange(POOL) for _ in range(BATCH)]
        captions = [caption(scenes[i], throw, full=throw.random() < 0.4).text for i in chosen]
        captions = ["" if throw.random() < SILENT else words for words in captions]
        states = self.reader.encoder(text.tokens(self.tokenizer, captions)).last_hidden_state
        counts = torch.stack([denoiser.weights(scenes[i]) for i in chosen])
        return latents[chosen], states, counts

    @torch.no_grad()
    def _fresh(self, number: int) -> tuple[list[Scene], Tensor]:
        """The scenes that step `number` adds to the pool, and their latents (FRESH, C, 16, 16)."""
        throw = dice(self.seed + 3, number)
        scenes = [random_scene(throw) for _ in range(FRESH)]
        pixels = np.stack([draw(scene, throw.getrandbits(32)) for scene in scenes])
        return scenes, self.autoencoder.eval().encode(autoencoder.scaled(pixels)).contiguous()

    def _descend(self, stage: int, part: nn.Module, loss: Tensor) -> float:
        self.optimizers[stage].zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(part.parameters(), 1.0)
        self.optimizers[stage].step()
        return loss.item()

    def _rate(self, stage: int, value: float) -> None:
        for group in self.optimizers[stage].param_groups:
            group["lr"] = value

    def state(self) -> dict[str, Any]:
        return {
            "autoencoder": self.autoencoder.state_dict(),
            "reader": self.reader.state_dict(),
            "unet": self.unet.state_dict(),
            "average": self.average.weights,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.autoencoder.load_state_dict(state["autoencoder"])
        self.reader.load_state_dict(state["reader"])
        self.unet.load_state_dict(state["unet"])
        self.average.weights = state["average"]
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)

    def pipeline(self) -> StableDiffusionPipeline:
        """What would be exported now, the averaged denoiser in it."""
        averaged = copy.deepcopy(self.unet)
        averaged.load_state_dict(self.average.weights)
        pipeline = StableDiffusionPipeline(
            vae=autoencoder.fold(self.autoencoder).eval(),
            text_encoder=copy.deepcopy(self.reader.encoder).eval(),
            tokenizer=self.tokenizer,
            unet=averaged.eval(),
            scheduler=self.schedule,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def sample(self, path: Path) -> None:
        """Held-out prompts of one thing and of two, painted."""
        prompts = held_out_prompts(12, 1, seed=4) + held_out_prompts(6, 2, seed=4)
        sheet(paint(self.pipeline(), prompts), [wording.text for wording in prompts], path)


def _parts_of(folder: Path) -> tuple[AutoencoderTiny, CLIPTextModel, CLIPTokenizer, UNet2DConditionModel]:
    return (
        AutoencoderTiny.from_pretrained(folder / "vae"),
        CLIPTextModel.from_pretrained(folder / "text_encoder"),
        CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        UNet2DConditionModel.from_pretrained(folder / "unet"),
    )


def _adam(part: nn.Module) -> torch.optim.AdamW:
    weights = [weight for weight in part.parameters() if weight.requires_grad]
    return torch.optim.AdamW(weights, betas=(0.9, 0.99), weight_decay=DECAY)
