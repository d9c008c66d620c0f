"""What one step of the training sees: clips as latents, their words, and where errors count more."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import hypot

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.training.motion.captions import caption, of_picture
from pipelines.training.motion.draw import coverage, draw
from pipelines.training.motion.paths import Moment, path
from pipelines.training.motion.world import ACROSS, ALONG, FRAMES, STYLED_SHARE, Clip, random_clip
from pipelines.training.scenes.vocabulary import PLACES

GIVEN = 0.3  # share of clips whose first frame is given without noise, as from a picture
ELSEWHERE = 0.6  # share of those that begin at another place, in another size, than the words alone mean
UNNAMED = 0.3  # share of those whose words do not say what is in the picture
EMPHASIS = 6.0  # how often an error where the thing is counts, against once for the bare background
EMPTY = 0.1  # share of captions left empty, for classifier-free guidance
SILENT = 0.1  # share of the others that leave the motion out
SHORTEST = 12.0  # pixels that a thing has to go at least


@dataclass
class Lesson:
    """Clips to learn from: B clips, F frames of each, latents of (C, 16, 16)."""

    captions: list[str]
    shown: Tensor  # numbers of the frames: (F,), or (B, 1) where only one of each is seen
    pixels: Tensor  # (B, F, 3, SIDE, SIDE) of -1 to 1
    counts: Tensor  # (B, 1, F, 16, 16)
    given: Tensor  # (B,) bool: the first frame is known


def lesson(dice: random.Random, frames: int, clips: int) -> Lesson:
    """So many frames of so many fresh clips. Few frames of many clips teach the words sooner."""
    same = _chosen(dice, frames)
    shown = [_chosen(dice, 1) if frames == 1 else same for _ in range(clips)]
    drawn = [one(dice, each) for each in shown]
    captions, pixels, counts, given = zip(*drawn, strict=True)
    seen = torch.from_numpy(np.stack(pixels)).float().div(127.5).sub(1).permute(0, 1, 4, 2, 3)
    numbers = torch.tensor(shown if frames == 1 else same)
    return Lesson(list(captions), numbers, seen, torch.stack(counts), torch.tensor(given))


def _chosen(dice: random.Random, frames: int) -> list[int]:
    """Some frames of a clip in order, half of the time with the first."""
    if frames == FRAMES or (frames > 1 and dice.random() < 0.5):
        return sorted([0, *dice.sample(range(1, FRAMES), frames - 1)])
    return sorted(dice.sample(range(FRAMES), frames))


def one(dice: random.Random, shown: list[int]) -> tuple[str, np.ndarray, Tensor, bool]:
    """A clip's caption, its frames, where errors count, and whether its first frame is known."""
    clip = random_clip(dice, styled=STYLED_SHARE)
    share = GIVEN if len(shown) == FRAMES else 2 * GIVEN
    known = len(shown) > 1 and shown[0] == 0 and dice.random() < share
    moments = elsewhere(clip, dice) if known and dice.random() < ELSEWHERE else path(clip)
    moments = [moments[frame] for frame in shown]
    pixels = draw(clip, moments, dice.randrange(2**31))
    return words(clip, dice, known), pixels, weights(clip, moments), known


def words(clip: Clip, dice: random.Random, known: bool) -> str:
    """A caption of the clip, or none; of a clip whose first frame is known, often one without its name."""
    if dice.random() < EMPTY:
        return ""
    if known and dice.random() < UNNAMED:
        return of_picture(clip, dice)
    return caption(clip, dice, silent=SILENT).text


def elsewhere(clip: Clip, dice: random.Random) -> list[Moment]:
    """The clip's moments from a place and a size that a picture may have."""
    while True:
        x, y = (at + dice.uniform(-2, 2) for at in PLACES[dice.choice(tuple(PLACES))])
        moments = path(clip, (x, y), dice.uniform(18, 28))
        far = hypot(moments[-1].x - x, moments[-1].y - y)
        if clip.motion not in (*ACROSS, *ALONG) or (far >= SHORTEST and _forwards(clip, moments)):
            return moments


def _forwards(clip: Clip, moments: list[Moment]) -> bool:
    across, down = moments[-1].x - moments[0].x, moments[-1].y - moments[0].y
    way = across if clip.motion in ACROSS else down
    return way > 0 if clip.motion in ("rightwards", "falling") else way < 0


def weights(clip: Clip, moments: list[Moment]) -> Tensor:
    """(1, F, 16, 16): how much each latent's error counts; more where the thing is, or would be if seen."""
    covered = torch.from_numpy(np.stack([coverage(clip, moment) for moment in moments]))
    near = nn.functional.max_pool2d(covered[:, None], 8, stride=4, padding=2)[:, 0]
    return (1 + (EMPHASIS - 1) * (near > 0.02).float())[None]
