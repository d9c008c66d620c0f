"""Trains the autoencoder. Kept simple: minutes, not hours; a resumed run goes on with the time that is left.

python -m pipelines.training.scenes.train_autoencoder --minutes 8
"""

from __future__ import annotations

import argparse
import math
import random

import numpy as np
import torch
from torch import Tensor

from pipelines.training.scenes import autoencoder
from pipelines.training.scenes.draw import draw
from pipelines.training.scenes.sampling import random_scene
from pipelines.training.scenes.state import Clock, Store
from pipelines.training.scenes.team import Team
from pipelines.training.scenes.vocabulary import PLACES, SIDE

BATCH = 32  # crops, or a quarter as many whole pictures
CROP = 32  # pixels
WHOLE_EVERY = 4  # steps: now and then whole pictures, for their borders
POOL = 20_000  # pictures
RATE = 1e-3
CHECKPOINT = "autoencoder.pt"


def crops(pool: Tensor, centres: Tensor, count: int) -> Tensor:
    """(count, 3, CROP, CROP) windows of the pool around a thing: convolutions learn most where edges are."""
    chosen = torch.randint(len(pool), (count,))
    corners = (centres[chosen] - CROP // 2 + torch.randint(-6, 7, (count, 2))).clamp(0, SIDE - CROP)
    windows = [pool[i, :, y : y + CROP, x : x + CROP] for i, (x, y) in zip(chosen, corners, strict=True)]
    return torch.stack(windows)


def centres_of(count: int, seed: int) -> Tensor:
    """(count, 2): x and y of the first thing in each of `pictures(count, seed)`, pixels."""
    dice = random.Random(seed)
    return torch.tensor([PLACES[random_scene(dice).things[0].place] for _ in range(count)])


def pictures(count: int, seed: int) -> Tensor:
    """`count` random scenes as (count, 3, SIDE, SIDE) uint8."""
    dice = random.Random(seed)
    drawn = np.stack([draw(random_scene(dice), seed + i) for i in range(count)])
    return torch.from_numpy(drawn).permute(0, 3, 1, 2).contiguous()


def scaled(pixels: Tensor) -> Tensor:
    """uint8 to float in -1 to 1, channels last (faster convolutions on a CPU)."""
    return (pixels.float() / 127.5 - 1).to(memory_format=torch.channels_last)


def train(store: Store, minutes: float, threads: int, decoder_only: bool) -> None:
    torch.set_num_threads(threads)
    team = Team()
    torch.manual_seed(0)
    model = autoencoder.Normalised(autoencoder.build()).to(memory_format=torch.channels_last)
    state = store.load(CHECKPOINT) or {}
    if state:
        model.load_state_dict(state["model"])
    trained = model.model.decoder if decoder_only else model
    optimizer = torch.optim.AdamW(trained.parameters(), lr=RATE, weight_decay=1e-4)
    name = "decoder" if decoder_only else "autoencoder"
    if f"{name} optimizer" in state:
        optimizer.load_state_dict(state[f"{name} optimizer"])
    clock, step = Clock(minutes * 60, state.get(f"{name} spent", 0.0)), state.get("step", 0)
    pool, centres, unseen = pictures(POOL, seed=1), centres_of(POOL, seed=1), pictures(128, seed=10_000_000)
    torch.manual_seed(1000 * team.rank + step)
    team.share = clock.share
    while team.share < 1:
        for group in optimizer.param_groups:
            group["lr"] = RATE * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * team.share)))
        loss = autoencoder.loss(set_mode(model, decoder_only), scaled(_some(pool, centres, step, team)))
        optimizer.zero_grad()
        loss.backward()
        team.agree(trained, clock.share)
        torch.nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        optimizer.step()
        step += 1
        if team.leads and (step % 100 == 0 or team.share >= 1):
            figures = {"loss": loss.item(), "psnr": psnr(model, unseen)}
            store.log(name, step=step, seconds=clock.spent, **figures)
            state |= {f"{name} optimizer": optimizer.state_dict(), f"{name} spent": clock.spent}
            store.save(CHECKPOINT, {**state, "model": model.state_dict(), "step": step})
    team.leave()


def set_mode(model: autoencoder.Normalised, decoder_only: bool) -> autoencoder.Normalised:
    """Ready to train: all of it, or the decoder alone while latents must stay what the denoiser learned."""
    model.train()
    if decoder_only:
        model.norm.eval()
        model.model.encoder.requires_grad_(False)
    return model


def _some(pool: Tensor, centres: Tensor, step: int, team: Team) -> Tensor:
    part = team.part(BATCH)
    if step % WHOLE_EVERY == 0:
        return pool[torch.randint(len(pool), (part // 4,))]
    return crops(pool, centres, part)


@torch.no_grad()
def psnr(model: autoencoder.Normalised, pixels: Tensor) -> float:
    """Peak signal to noise over unseen pictures, dB."""
    model.eval()
    target = scaled(pixels)
    error = (model(target).clamp(-1, 1) - target).square().mean().item() / 4
    model.train()
    return -10 * math.log10(error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--store", default="var/scenes")
    parser.add_argument("--decoder-only", action="store_true", help="leave the latents as they are")
    chosen = parser.parse_args()
    train(Store(chosen.store), chosen.minutes, chosen.threads, chosen.decoder_only)


if __name__ == "__main__":
    main()
