"""Pictures are named in the words that the motion model knows, and the names go into the prompt."""

import random

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from PIL import Image

from pipelines.families._captioner import Captioner, with_caption
from pipelines.training.motion import captioner
from pipelines.training.motion.learner import SCENES

BOAT = "at sea, the red boat"


@pytest.mark.parametrize(
    ("prompt", "heard"),
    [
        ("it rises", "at sea, the red boat rises"),
        ("The thing moves to the left", "at sea, the red boat moves to the left"),
        ("make it fall, then let it rise", "make at sea, the red boat fall, then let it rise"),
        ("day turns to night", "at sea, the red boat day turns to night"),
        ("", "at sea, the red boat"),
        ("a Boat rises", "a Boat rises"),
        ("the boathouse rises", "at sea, the red boat the boathouse rises"),
    ],
)
def test_a_caption_takes_the_place_of_a_pronoun(prompt, heard):
    assert with_caption(prompt, BOAT) == heard


def test_of_each_sort_of_label_the_likeliest_is_said():
    model = captioner.captioner()
    clips, drawn = captioner.pictures(random.Random(1), 1)
    wanted = captioner.numbers(clips[0])
    with torch.no_grad():
        model.classifier[1].weight.zero_()
        model.classifier[1].bias.zero_()
        for start, number in zip((0, captioner.PARTS[0], sum(captioner.PARTS[:2])), wanted, strict=True):
            model.classifier[1].bias[start + number] = 1

    said = Captioner(model).caption(Image.fromarray(drawn[0]))

    assert said == captioner.caption_of(clips[0])
    assert all(word in said for word in (clips[0].colour, clips[0].name))


def test_pictures_are_drawn_from_their_dice_and_on_their_side_of_the_split():
    clips, drawn = captioner.pictures(random.Random(2), 8)
    again, same = captioner.pictures(random.Random(2), 8)
    unseen, _ = captioner.pictures(random.Random(2), 8, held_out=True, styled=0)

    assert clips == again
    assert np.array_equal(drawn, same)
    assert not set(clips) & set(unseen)
    assert {clip.style for clip in unseen} == {"flat"}


def test_a_few_steps_teach_something():
    torch.manual_seed(0)
    model = captioner.captioner()
    vae = AutoencoderTiny.from_pretrained(SCENES, subfolder="vae").requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=captioner.RATE)
    seen = []
    for step in range(20):
        loss = captioner.losses(model, vae, random.Random(step), 16)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())

    assert np.mean(seen[-5:]) < np.mean(seen[:5])
