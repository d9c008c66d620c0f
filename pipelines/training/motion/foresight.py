"""What the clock learns first: to say a moving caption, at each moment, as still captions of that moment do.

The scenes model paints a thing "on the left" because the words' states say so. So before any clip is drawn,
the clock is taught from words alone that "moving from left to right" means "on the left", then "in the
middle", then "on the right", and what lies between them. Training on clips goes on from there.
"""

from __future__ import annotations

import random

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from pipelines.families._motion_unet import Clock
from pipelines.training.course import dice, rate
from pipelines.training.motion import text
from pipelines.training.motion.captions import MOTION_WORDS, caption
from pipelines.training.motion.paths import MIDDLE, Moment, path
from pipelines.training.motion.world import FRAMES, LIGHT, SIZE, STYLED_SHARE, Clip, random_clip
from pipelines.training.scenes.captions import PLACE_WORDS, background_words
from pipelines.training.scenes.vocabulary import PLACES

STEPS, CLIPS, RATE = 1000, 24, 2e-3
MOMENTS = 4  # frames of each clip
LAST = 6  # states at a caption's end that are taken, all of which are padding
REACH = 19.0  # pixels from the middle to the other places
BY_SIZE = {"small": 18.5, "big": 28.0}  # pixels that the scenes model knows by these words


Reading = tuple[CLIPTextModel, CLIPTokenizer]


def foresee(clock: Clock, old: Reading, new: Reading, seed: int) -> None:
    """Teaches the clock; `old` and `new` read words as they did before and do now. A few minutes."""
    optimizer = torch.optim.AdamW(clock.parameters(), lr=RATE)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, STEPS, RATE, warm_up=20)
        states, shown, turns, counts = _lesson(old, new, dice(seed, step))
        error = (clock(states, shown) - states - turns).square().mean(-1)
        loss = (error * counts).sum() / counts.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            print(f"clock {step}/{STEPS} loss {loss.item():.4f}", flush=True)


@torch.no_grad()
def _lesson(old: Reading, new: Reading, chance: random.Random) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """States (rows, TOKENS, WIDTH) and frames (rows,), how the states are to turn, and which tokens count how
    much (rows, TOKENS)."""
    clips = [random_clip(chance, styled=STYLED_SHARE) for _ in range(CLIPS)]
    captions = [caption(clip, chance).text for clip in clips]
    states = _states(new, captions)
    turns = _turns(old, new[1], clips=clips, captions=captions, states=states, chance=chance)
    shown = torch.stack([torch.randperm(FRAMES)[:MOMENTS] for _ in clips])
    at = torch.arange(CLIPS)[:, None]
    counts = torch.ones(states.shape[:2])
    for row, clip in enumerate(clips):
        counts[row, _last_word(new[1], captions[row], clip.motion)] = 4.0
    repeated = [each.repeat_interleave(MOMENTS, 0) for each in (states, counts)]
    return repeated[0], shown.flatten(), turns[at, shown].flatten(0, 1), repeated[1]


def _states(reading: Reading, captions: list[str]) -> Tensor:
    """(captions, TOKENS, WIDTH)."""
    encoder, tokenizer = reading
    parts = [captions[i : i + 128] for i in range(0, len(captions), 128)]
    return torch.cat([encoder(text.tokens(tokenizer, part)).last_hidden_state for part in parts])


def _turns(
    old: Reading,
    tokenizer: CLIPTokenizer,
    *,
    clips: list[Clip],
    captions: list[str],
    states: Tensor,
    chance: random.Random,
) -> Tensor:
    """(clips, FRAMES, TOKENS, WIDTH): what the states of the captions' words lack at each moment.

    The padding, in which a caption is summed up, turns as that of still captions does; the last word for the
    motion becomes the word for a place, or for a background; all others stay.
    """
    known = ["middle", *(place for place in PLACES if place != "middle"), *BY_SIZE, "after", "gone"]
    grounds = [
        {each: background_words(each, chance) for each in (clip.background, clip.ends_on)} for clip in clips
    ]
    both = zip(clips, grounds, strict=True)
    said = [_still(clip, name, ground) for clip, ground in both for name in known]
    stills = _states(old, [_whole(*each) for each in said])
    ends = stills[:, -LAST:].mean(1)
    places = torch.stack([_at(old[1], state, *each) for state, each in zip(stills, said, strict=True)])
    backgrounds = torch.stack([_before_end(old[1], stills[i], said[i]) for i in range(len(said))])
    shape = (len(clips), len(known))
    mixed = torch.tensor([[_mix(moment, known) for moment in path(clip)] for clip in clips]).float()
    turns = torch.zeros(len(clips), FRAMES, *states.shape[1:])
    for row, clip in enumerate(clips):
        end, words = ends.unflatten(0, shape)[row], places.unflatten(0, shape)[row]
        padding = torch.tensor(_ids(tokenizer, captions[row])) == tokenizer.pad_token_id
        turns[row, :, padding] = (mixed[row] @ (end - end[:1]))[:, None]
        if clip.motion in LIGHT:
            words = backgrounds.unflatten(0, shape)[row]
        at = _last_word(tokenizer, captions[row], clip.motion)
        turns[row, :, at] = words[:1] + mixed[row] @ (words - words[:1]) - states[row, at]
    return turns


def _ids(tokenizer: CLIPTokenizer, words: str) -> list[int]:
    return text.tokens(tokenizer, [words])[0].tolist()


def _last_word(tokenizer: CLIPTokenizer, said: str, motion: str) -> int:
    """The token that ends the words for the motion."""
    phrase = max((words for words in MOTION_WORDS[motion] if words in said), key=len)
    return len(tokenizer(said[: said.index(phrase) + len(phrase)]).input_ids) - 2


def _at(tokenizer: CLIPTokenizer, state: Tensor, thing: str, place: str, where: str) -> Tensor:
    """The state of the word that ends the place."""
    return state[len(tokenizer(f"{thing} {place}").input_ids) - 2]


def _before_end(tokenizer: CLIPTokenizer, state: Tensor, said: tuple[str, str, str]) -> Tensor:
    """The state of the word that ends the background."""
    return state[len(tokenizer(_whole(*said)).input_ids) - 2]


def _whole(thing: str, place: str, where: str) -> str:
    return f"{thing} {place}, {where}" if thing else where


def _still(clip: Clip, name: str, grounds: dict[str, str]) -> tuple[str, str, str]:
    """The words for the clip's thing, for a place, and for a background, in one of which `name` is meant; for
    what is gone those of the background alone."""
    if name == "gone":
        return "", "", grounds[clip.background]
    size = f"{name} " if name in BY_SIZE else ""
    place = PLACE_WORDS[name if name in PLACES else "middle"][0]
    background = grounds[clip.ends_on if name == "after" else clip.background]
    return f"a {size}{clip.colour} {clip.name}", place, background


def _mix(moment: Moment, known: list[str]) -> list[float]:
    """How much of each still caption's difference from the plain one a moment has."""
    if not moment.seen:
        return [float(name == "gone") for name in known]
    across, down = (moment.x - MIDDLE) / REACH, (moment.y - MIDDLE) / REACH
    grown = moment.size - SIZE
    share = {
        "left": max(-across, 0.0),
        "right": max(across, 0.0),
        "top": max(-down, 0.0),
        "bottom": max(down, 0.0),
        "small": max(grown / (BY_SIZE["small"] - SIZE), 0.0),
        "big": max(grown / (BY_SIZE["big"] - SIZE), 0.0),
        "after": moment.light,
    }
    return [share.get(name, 0.0) for name in known]
