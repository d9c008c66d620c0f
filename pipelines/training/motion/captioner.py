"""The captioner: says what a picture shows in the words that set it in motion, "at sea, the red boat".

The layers for motion do not carry a silhouette that no word names (the model's card has the figures), so a
picture is named before it is moved.
"""

from __future__ import annotations

import random

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch import Tensor, nn
from transformers import ResNetConfig, ResNetForImageClassification

from pipelines.training.course import dice, teach
from pipelines.training.motion.draw import draw
from pipelines.training.motion.paths import Moment
from pipelines.training.motion.world import Clip, random_clip
from pipelines.training.scenes.autoencoder import scaled
from pipelines.training.scenes.captions import BACKGROUND_WORDS, PLAIN_WORDS
from pipelines.training.scenes.vocabulary import BACKGROUNDS, COLOURS, PLAIN, SIDE, THINGS
from pipelines.training.store import Store

PARTS = (len(BACKGROUNDS), len(COLOURS), len(THINGS))
WIDTHS = (32, 64, 128)  # channels at 16, 8 and 4 pixels

STEPS, BATCH, RATE = 2000, 64, 2e-3
STYLED = 0.4  # share of pictures in another style than flat
PAINTED = 0.25  # share of batches that went through the autoencoder, as pictures of the scenes model have
UNSEEN = "blinking"  # the motion whose held-out clips are those whose pictures it never sees
EDGE = 11.0  # pixels, between the middle of a thing and the edge of its picture


def captioner() -> ResNetForImageClassification:
    """An untrained one, which has all labels."""
    config = ResNetConfig(
        embedding_size=WIDTHS[0],
        hidden_sizes=list(WIDTHS),
        depths=[1] * len(WIDTHS),
        layer_type="basic",
        downsample_in_first_stage=False,
        id2label=dict(enumerate(labels())),
        image_size=SIDE,
    )
    return ResNetForImageClassification(config)


def labels() -> list[str]:
    """In the order of PARTS."""
    grounds = [
        PLAIN_WORDS[0].format(ground) if ground in PLAIN else BACKGROUND_WORDS[ground][0]
        for ground in BACKGROUNDS
    ]
    return [
        *(f"ground: {words}," for words in grounds),
        *(f"colour: the {colour}" for colour in COLOURS),
        *(f"thing: {name}" for name in THINGS),
    ]


def numbers(clip: Clip) -> list[int]:
    """The clip's classes, one for each of PARTS."""
    return [BACKGROUNDS.index(clip.background), list(COLOURS).index(clip.colour), THINGS.index(clip.name)]


def caption_of(clip: Clip) -> str:
    """What the captioner ought to say of its picture."""
    words = [label.partition(": ")[2] for label in labels()]
    starts = (0, PARTS[0], PARTS[0] + PARTS[1])
    return " ".join(words[start + number] for start, number in zip(starts, numbers(clip), strict=True))


def pictures(
    dice: random.Random, count: int, held_out: bool = False, styled: float = STYLED
) -> tuple[list[Clip], np.ndarray]:
    """Clips, and a picture of each, (count, SIDE, SIDE, 3) uint8: its thing anywhere, in any usual size."""
    clips = [random_clip(dice, held_out, UNSEEN, styled) for _ in range(count)]
    drawn = []
    for clip in clips:
        x, y = (dice.uniform(EDGE, SIDE - EDGE) for _ in range(2))
        drawn += list(draw(clip, [Moment(x, y, dice.uniform(17, 30))], dice.randrange(2**31)))
    return clips, np.stack(drawn)


def losses(
    model: ResNetForImageClassification, vae: AutoencoderTiny, dice: random.Random, count: int
) -> dict[str, Tensor]:
    """Of naming fresh pictures, and the share of them that is named right."""
    clips, drawn = pictures(dice, count)
    pixels = scaled(drawn)
    if dice.random() < PAINTED:
        with torch.no_grad():
            pixels = vae.decode(vae.encode(pixels).latents).sample.clamp(-1, 1)
    parts = torch.tensor([numbers(clip) for clip in clips])
    scores = model(pixels).logits.split(PARTS, 1)
    loss = torch.stack([nn.functional.cross_entropy(each, parts[:, i]) for i, each in enumerate(scores)])
    right = torch.stack([each.argmax(1) for each in scores], 1) == parts
    return {"loss": loss.mean(), "right": right.all(1).float().mean()}


def taught_captioner(store: Store, vae: AutoencoderTiny, seed: int) -> ResNetForImageClassification:
    """Taught at the first call, in a few minutes, and kept in the store."""
    dice(seed, 0)
    model = captioner()
    kept = store.load("captioner.pt")
    if kept is None:
        model.train()

        def figures(step: int) -> dict[str, Tensor]:
            return losses(model, vae, dice(seed, step), BATCH)

        teach(model, figures, store, "motion-captioner", steps=STEPS, peak=RATE)
        kept = {"captioner": model.state_dict()}
        store.save("captioner.pt", kept)
    model.load_state_dict(kept["captioner"])
    return model.eval().requires_grad_(False)
