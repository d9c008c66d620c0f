"""Trains the denoiser on latents that are encoded once, and watches obedience rather than loss.

    python -m pipelines.training.scenes.train_denoiser --minutes 80

It may be stopped at any time: it resumes from the last checkpoint, and more minutes go on from there.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass

import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor

from pipelines.training.scenes import autoencoder, denoiser, text
from pipelines.training.scenes.captions import caption
from pipelines.training.scenes.evaluate import held_out_prompts, obedience
from pipelines.training.scenes.sampling import random_scene
from pipelines.training.scenes.state import Clock, Store
from pipelines.training.scenes.team import Team
from pipelines.training.scenes.train_autoencoder import CHECKPOINT as AUTOENCODER
from pipelines.training.scenes.train_autoencoder import pictures, scaled
from pipelines.training.scenes.train_text import tokenizer_of, trained_encoder
from pipelines.training.scenes.vocabulary import Scene

BATCH = 32
RATE = 8e-4
DECAY_FROM = 0.55  # share of the time after which the learning rate falls, to RATE / 50 at the end
AVERAGE = 0.999  # keeps about the last thousand steps
SILENT = 0.1  # share of captions left empty, for classifier-free guidance (Ho and Salimans 2022)
POOL = 10_000  # scenes for each member of the team; each is met with fresh words every time
WATCH_SECONDS = 1800  # between looks at obedience
SAVE_STEPS = 200
CHECKPOINT = "denoiser.pt"


@dataclass
class Pool:
    """Scenes and their latents (POOL, C, 16, 16), float16 as they need no more."""

    scenes: list[Scene]
    latents: Tensor


def pool_of(store: Store, model: autoencoder.Normalised, seed: int) -> Pool:
    """The pool of this seed; its latents are encoded at the first call and kept."""
    dice = random.Random(seed)
    scenes = [random_scene(dice) for _ in range(POOL)]
    kept = store.load(f"pool-{seed}.pt")
    if kept is None:
        kept = {"latents": _encode(model, pictures(POOL, seed))}
        store.save(f"pool-{seed}.pt", kept)
    return Pool(scenes, kept["latents"])


@torch.no_grad()
def _encode(model: autoencoder.Normalised, pixels: Tensor) -> Tensor:
    return torch.cat([model.encode(scaled(part)).half().contiguous() for part in pixels.split(128)])


def trained_autoencoder(store: Store) -> autoencoder.Normalised:
    model = autoencoder.Normalised(autoencoder.build()).to(memory_format=torch.channels_last)
    model.load_state_dict(
        store.require(AUTOENCODER, "python -m pipelines.training.scenes.train_autoencoder")["model"]
    )
    return model.eval().requires_grad_(False)


class Training:
    """The denoiser, all that it learns from, and how far it has come."""

    def __init__(self, store: Store, minutes: float, seed: int, team: Team) -> None:
        torch.manual_seed(seed)
        self.store, self.team = store, team
        self.tokenizer = tokenizer_of(store)
        self.reader = trained_encoder(store, self.tokenizer)
        self.autoencoder = trained_autoencoder(store)
        self.pool = pool_of(store, self.autoencoder, seed + team.rank * 1_000_000)
        self.schedule = denoiser.scheduler()
        self.model = denoiser.build()
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=0.01
        )
        self.average = denoiser.Average(self.model, AVERAGE)
        self.step, spent = 0, 0.0
        state = store.load(CHECKPOINT)
        if state:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.average.weights = state["average"]
            self.step, spent = state["step"], state["spent"]
        self.clock = Clock(minutes * 60, spent)
        team.share = self.clock.share
        self.dice = random.Random(seed + self.step + team.rank)
        torch.manual_seed(seed + self.step + team.rank)

    def save(self) -> None:
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        state |= {"average": self.average.weights, "step": self.step, "spent": self.clock.spent}
        self.store.save(CHECKPOINT, state)

    def one_step(self) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        loss = denoiser.loss(self.model, self.schedule, *self.batch())
        self.optimizer.zero_grad()
        loss.backward()
        self.team.agree(self.model, self.clock.share)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self.average.update(self.model, self.step)
        return loss.item()

    def rate(self) -> float:
        """Warm-up over 200 steps, level, then a straight fall."""
        left = (1 - self.team.share) / (1 - DECAY_FROM)
        return RATE * min(1.0, (self.step + 1) / 200) * min(1.0, max(0.02, left))

    @torch.no_grad()
    def batch(self) -> tuple[Tensor, Tensor, Tensor]:
        """Latents (B, C, 16, 16), states (B, TOKENS, WIDTH) of fresh wordings, some empty, and weights."""
        chosen = [self.dice.randrange(POOL) for _ in range(self.team.part(BATCH))]
        captions = [caption(self.pool.scenes[i], self.dice).text for i in chosen]
        captions = ["" if self.dice.random() < SILENT else words for words in captions]
        states = self.reader(text.tokens(self.tokenizer, captions)).last_hidden_state
        counts = torch.stack([denoiser.weights(self.pool.scenes[i]) for i in chosen])
        return self.pool.latents[chosen].float(), states, counts

    def pipeline(self) -> StableDiffusionPipeline:
        """What would be exported now: the averaged weights in a pipeline."""
        averaged = denoiser.build()
        averaged.load_state_dict(self.average.weights)
        return assemble(averaged, self.reader, self.tokenizer, trained_autoencoder(self.store))


def assemble(unet, reader, tokenizer, normalised) -> StableDiffusionPipeline:
    """A ready pipeline. The autoencoder given is folded, so pass one that is not trained further."""
    pipeline = StableDiffusionPipeline(
        vae=autoencoder.fold(normalised),
        text_encoder=reader,
        tokenizer=tokenizer,
        unet=unet.eval(),
        scheduler=denoiser.scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def watch(training: Training, count: int) -> dict[str, float]:
    """Obedience of the averaged weights on a few held-out prompts."""
    pipeline = training.pipeline()
    return {f"obedience_{n}": obedience(pipeline, held_out_prompts(count, n, seed=4)) for n in (1, 2)}


def train(store: Store, minutes: float, threads: int, seed: int) -> None:
    torch.set_num_threads(threads)
    team = Team()
    training = Training(store, minutes, seed, team)
    losses, watched = [], training.clock.spent
    while team.share < 1:
        losses.append(training.one_step())
        if not team.leads:
            continue
        if training.step % SAVE_STEPS == 0 or team.share >= 1:
            mean = sum(losses) / len(losses)
            figures = {"loss": mean, "rate": training.rate()}
            store.log("denoiser", step=training.step, seconds=training.clock.spent, **figures)
            training.save()
            losses.clear()
        if training.clock.spent - watched > WATCH_SECONDS or team.share >= 1:
            store.log("obedience", step=training.step, **watch(training, 50))
            watched = training.clock.spent
    team.leave()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=80)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=10_000_000, help="of the pool, the words and the noise")
    parser.add_argument("--store", default="var/scenes")
    chosen = parser.parse_args()
    train(Store(chosen.store), chosen.minutes, chosen.threads, chosen.seed)


if __name__ == "__main__":
    main()
