"""Trains the motion model: the layers for motion anew, and the scenes model's own gently, so that a thing may
be anywhere and each frame hears the words at its own moment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer, ResNetForImageClassification

from pipelines.training.course import dice, rate
from pipelines.training.motion import text
from pipelines.training.motion.captioner import taught_captioner
from pipelines.training.motion.foresight import Reading, foresee
from pipelines.training.motion.lessons import lesson
from pipelines.training.motion.parts import assembled, begun, showing
from pipelines.training.optimizers import half_products
from pipelines.training.pictures import sheet
from pipelines.training.scenes.denoiser import Average, random_times, scheduler
from pipelines.training.store import Store

STEPS = 4400
BATCH = 32  # frames
FEW = ((0.1, 1), (0.4, 4), (1.0, 16))  # up to which share of the steps how many frames of a clip are seen
RATE_NEW, RATE_OLD = 1e-3, 4e-4  # of the layers for motion; of the scenes model's own and the clock
AVERAGE = 0.997
WARM_UP = 20  # steps
SCENES = Path("pipelines/house/scenes")
SAMPLES = (
    "a red circle moving from left to right on a white background",
    "a yellow star rising at night",
)
SAMPLE_STEPS, GUIDANCE = 6, 3.0


class Motion:
    name = "motion"

    def __init__(self, store: Store, scenes: Path = SCENES, seed: int = 0, steps: int = STEPS) -> None:
        self.seed, self.steps, self.scenes = seed, steps, scenes
        torch.manual_seed(seed)
        self.model = begun(scenes)
        self.vae = AutoencoderTiny.from_pretrained(scenes, subfolder="vae").requires_grad_(False)
        self.schedule = scheduler()
        self.text, self.tokenizer = words_of(scenes)
        if not (scenes / "clock").is_dir():
            old = self.text, self.tokenizer
            self.text, self.tokenizer = taught_words(store, *old, seed)
            self.model.clock.load_state_dict(self.foreseen(store, old))
        new = [w for name, w in self.model.named_parameters() if "motion_modules" in name]
        old = [w for name, w in self.model.named_parameters() if not any(w is each for each in new)]
        groups = [{"params": new, "peak": RATE_NEW}, {"params": old, "peak": RATE_OLD}]
        self.optimizer = torch.optim.AdamW(groups, lr=RATE_NEW, betas=(0.9, 0.99), weight_decay=0.01)
        self.average = Average(self.model, AVERAGE)

    def foreseen(self, store: Store, old: Reading) -> dict[str, Tensor]:
        """The clock's weights as `foresee` leaves them, kept in the store."""
        kept = store.load("clock.pt")
        if kept is None:
            foresee(self.model.clock, old, (self.text, self.tokenizer), self.seed)
            kept = {"clock": self.model.clock.state_dict()}
            store.save("clock.pt", kept)
        return kept["clock"]

    def captioner(self, store: Store) -> ResNetForImageClassification:
        """The one of the folder that the training began with, or one that is taught now."""
        if (self.scenes / "captioner").is_dir():
            return ResNetForImageClassification.from_pretrained(self.scenes, subfolder="captioner")
        return taught_captioner(store, self.vae, self.seed)

    def step(self, number: int) -> dict[str, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = rate(number, self.steps, group["peak"], warm_up=WARM_UP)
        figures = self.losses(number)
        self.optimizer.zero_grad()
        figures["loss"].backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.average.update(self.model, number)
        return {**{name: value.item() for name, value in figures.items()}, "gradient": norm.item()}

    def losses(self, number: int) -> dict[str, Tensor]:
        """Weighted squared error of the velocity, frames that are given left out."""
        frames = next(frames for share, frames in FEW if number < share * self.steps)
        seen = lesson(dice(self.seed, number), frames, BATCH // frames)
        latents, words = self.encoded(seen.pixels), self.words(seen.captions, seen.pixels.shape[1])
        times, noise = random_times(len(latents)), torch.randn_like(latents)
        wanted = self.schedule.get_velocity(latents, noise, times)
        noisy = self.schedule.add_noise(latents, noise, times)
        times, counts = times[:, None].repeat(1, latents.shape[2]), seen.counts.clone()
        noisy[seen.given, :, 0], times[seen.given, 0] = latents[seen.given, :, 0], 0
        counts[seen.given, :, 0] = 0
        with showing(self.model, seen.shown), half_products():
            error = (self.model(noisy, times, words).sample - wanted).square()
        return {"loss": (error * counts).mean(), "plain": error.mean()}

    @torch.no_grad()
    def encoded(self, pixels: Tensor) -> Tensor:
        """(B, F, 3, SIDE, SIDE) as latents (B, C, F, 16, 16)."""
        latents = self.vae.encode(pixels.flatten(0, 1)).latents
        return latents.unflatten(0, pixels.shape[:2]).transpose(1, 2)

    @torch.no_grad()
    def words(self, captions: list[str], frames: int) -> Tensor:
        """States (B x F, TOKENS, WIDTH)."""
        states = self.text(text.tokens(self.tokenizer, captions)).last_hidden_state
        return states.repeat_interleave(frames, 0)

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "average": self.average.weights,
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.weights = state["average"]

    def sample(self, path: Path) -> None:
        frames = self.made(SAMPLES, SAMPLE_STEPS)
        strips = [np.concatenate(list(clip[::2]), 1) for clip in frames]
        sheet(strips, SAMPLES, path, columns=1, zoom=2, lines=1)

    @torch.no_grad()
    def made(self, prompts, steps: int, guidance: float = GUIDANCE, seed: int = 1) -> np.ndarray:
        """(prompts, F, SIDE, SIDE, 3) uint8: what the averaged weights make now."""
        model = begun(self.scenes).requires_grad_(False)
        model.load_state_dict(self.average.weights)
        pipe = assembled(model, self.vae, self.text, self.tokenizer, scheduler())
        noise = [torch.Generator().manual_seed(seed + i) for i in range(len(prompts))]
        clips = pipe(
            list(prompts),
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=noise,
            output_type="np",
        ).frames
        return np.rint(np.clip(clips, 0, 1) * 255).astype(np.uint8)


def words_of(folder: Path) -> Reading:
    """The text encoder and the tokenizer that lie there."""
    encoder = CLIPTextModel.from_pretrained(folder, subfolder="text_encoder")
    return encoder.requires_grad_(False), CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer")


def taught_words(store: Store, encoder: CLIPTextModel, tokenizer: CLIPTokenizer, seed: int) -> Reading:
    """The scenes model's text encoder and its tokenizer, taught at the first call and kept in the store."""
    new = text.extended(tokenizer)
    kept = store.load("text.pt")
    if kept is None:
        made = text.taught(encoder, tokenizer, new, store, seed)
        kept = {"text": made.state_dict()}
        store.save("text.pt", kept)
    made = text.grown(encoder, tokenizer, new)
    made.load_state_dict(kept["text"])
    return made.eval().requires_grad_(False), new
