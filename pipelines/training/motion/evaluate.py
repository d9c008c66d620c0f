"""How well a motion model obeys held-out prompts, as told by the judge, with the coherence of its clips."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from pipelines.families.animatediff import AnimateDiff
from pipelines.media.coherence import warp_error
from pipelines.training.figures import share
from pipelines.training.motion.captioner import caption_of, pictures
from pipelines.training.motion.captions import Wording, caption, of_picture
from pipelines.training.motion.draw import draw
from pipelines.training.motion.exam import examine
from pipelines.training.motion.judge import faults, watch
from pipelines.training.motion.lessons import elsewhere
from pipelines.training.motion.parts import alone
from pipelines.training.motion.world import FRAMES, MOTIONS, Clip, random_clip
from pipelines.training.scenes.vocabulary import SIDE

STEPS, GUIDANCE = 12, 3.0  # what the model's row in the catalog says
BATCH = 4  # clips at a time
FIRST_SEED = 5_000_000  # of the clips; training's noise has no seed in common with it
EXAMINED = 100  # true clips, and as many swapped ones
PICTURES = 0.5  # pictures set in motion, for each clip from words
NAMED = 500  # pictures that are only named


def held_out(count: int, seed: int) -> list[tuple[Clip, Wording]]:
    """Clips that training never drew, all motions alike, and a wording of each."""
    dice = random.Random(f"motion {seed}")
    clips = [random_clip(dice, held_out=True, motion=MOTIONS[i % len(MOTIONS)]) for i in range(count)]
    return [(clip, caption(clip, dice, plain=True)) for clip in clips]


class Maker:
    """A model's pipelines, called as the family calls them."""

    def __init__(self, folder: Path) -> None:
        self.family = AnimateDiff.load(folder, "cpu", "float32")

    def clips(self, prompts: Sequence[str], seed: int = FIRST_SEED, **how: Any) -> list[np.ndarray]:
        """(FRAMES, SIDE, SIDE, 3) uint8 for each prompt; clip i from the noise of seed + i."""
        return self._made("text-to-video", prompts, seed, num_frames=FRAMES, **how)

    def moved(
        self, pictures: Sequence[np.ndarray], prompts: Sequence[str], seed: int = FIRST_SEED, **how: Any
    ) -> list[np.ndarray]:
        """Clips that begin with the pictures, which the family names in the prompts."""
        images = [Image.fromarray(picture) for picture in pictures]
        named = [self.family.named(*each) for each in zip(prompts, images, strict=True)]
        return self._made("image-to-video", named, seed, image=images, num_frames=FRAMES, **how)

    def _made(self, kind: str, prompts: Sequence[str], seed: int, **how: Any) -> list[np.ndarray]:
        pipe, made = self.family.pipeline(kind), []
        for start in range(0, len(prompts), BATCH):
            part = slice(start, start + BATCH)
            call = {**how, "image": how["image"][part]} if "image" in how else how
            noise = [torch.Generator().manual_seed(seed + start + i) for i in range(len(prompts[part]))]
            usual = {"num_inference_steps": STEPS, "guidance_scale": GUIDANCE, "width": SIDE, "height": SIDE}
            call = {**usual, **call, "generator": noise, "output_type": "np"}
            frames = pipe(list(prompts[part]), **call).frames
            made += list(np.rint(np.clip(frames, 0, 1) * 255).astype(np.uint8))
        return made


def report(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """All figures of the card."""
    maker = Maker(folder)
    right, wrong = examine(EXAMINED, seed=3_000_000 + seed)
    asked = held_out(count, 77 + seed)
    clips = maker.clips([wording.text for _, wording in asked])
    worded = obedience(clips, asked)
    moved = from_pictures(maker, max(10, int(count * PICTURES)), seed)
    return {
        "clips from words": worded.pop("obeyed"),
        "clips from pictures": moved.pop("obeyed"),
        "pictures named right": named_right(maker, NAMED, seed),
        "judge: true clips passed": share(right, EXAMINED),
        "judge: swapped clips passed": share(wrong, EXAMINED),
        "from words": worded,
        "from pictures": moved,
        "warp error": coherence(maker, clips, asked),
        "steps": STEPS,
        "guidance": GUIDANCE,
    }


def obedience(clips: Sequence[np.ndarray], asked: Sequence[tuple[Clip, Wording]]) -> dict[str, Any]:
    """Clips that show all that was said; the share of each motion; and how many have each fault."""
    wrong = [faults(watch(clip), wording) for clip, (_, wording) in zip(clips, asked, strict=True)]
    by_motion = {}
    for motion in MOTIONS:
        of = [not each for each, (clip, _) in zip(wrong, asked, strict=True) if clip.motion == motion]
        if of:
            by_motion[motion] = share(sum(of), len(of))
    counted = Counter(fault for each in wrong for fault in each)
    return {
        "obeyed": share(sum(not each for each in wrong), len(wrong)),
        "by motion": by_motion,
        "faults": dict(sorted(counted.items())),
    }


def from_pictures(maker: Maker, count: int, seed: int) -> dict[str, Any]:
    """Held-out pictures set in motion."""
    dice = random.Random(f"pictures {seed}")
    clips = [random_clip(dice, held_out=True, motion=MOTIONS[i % len(MOTIONS)]) for i in range(count)]
    drawn, said = pictured(clips, dice)
    made = maker.moved(drawn, [wording.text for wording in said])
    figures = obedience(made, list(zip(clips, said, strict=True)))
    off = [np.abs(clip[0].astype(float) - first).mean() for clip, first in zip(made, drawn, strict=True)]
    return {**figures, "first frame differs by (of 255)": round(float(np.mean(off)), 2)}


def pictured(clips: Sequence[Clip], dice: random.Random) -> tuple[list[np.ndarray], list[Wording]]:
    """Of each clip a first frame, in which the thing is at any place and in any size from which the judge can
    tell the motion, and words that do not name it."""
    drawn = []
    said = [
        Wording(of_picture(clip, dice), "", clip.name, clip.colour, clip.motion, clip.background, None)
        for clip in clips
    ]
    for clip, wording in zip(clips, said, strict=True):
        frames = draw(clip, elsewhere(clip, dice))
        while faults(watch(frames), wording):
            frames = draw(clip, elsewhere(clip, dice))
        drawn.append(frames[0])
    return drawn, said


def named_right(maker: Maker, count: int, seed: int) -> dict[str, Any]:
    """The share of held-out pictures, flat ones, of which the caption is all right."""
    clips, drawn = pictures(random.Random(f"names {seed}"), count, held_out=True, styled=0)
    captioner = maker.family.captioner
    right = [
        captioner.caption(Image.fromarray(picture)) == caption_of(clip)
        for clip, picture in zip(clips, drawn, strict=True)
    ]
    return share(sum(right), count)


def coherence(
    maker: Maker, clips: Sequence[np.ndarray], asked: Sequence[tuple[Clip, Wording]]
) -> dict[str, float]:
    """Mean warp error of clips, of drawn clips of the same, of the same weights making each frame by itself,
    and of the scenes model frame by frame, which knows no motion and paints things that stand."""
    from pipelines.training.motion.baseline import frame_by_frame
    from pipelines.training.motion.paths import path

    few = range(0, len(clips), max(1, len(clips) // 5))
    with alone(maker.family.pipe.unet):
        apart = [maker.clips([asked[i][1].text], FIRST_SEED + i)[0] for i in few]
    plain = frame_by_frame([asked[i][1].still for i in few], [FIRST_SEED + i for i in few], STEPS)
    return {
        "the model": _mean([clips[i] for i in few]),
        "drawn clips": _mean([draw(asked[i][0], path(asked[i][0])) for i in few]),
        "the model, each frame by itself": _mean(apart),
        "the scenes model frame by frame": _mean(plain),
    }


def _mean(clips: Sequence[np.ndarray]) -> float:
    return round(float(np.mean([warp_error(clip) for clip in clips])), 3)
