"""The text encoder: the scenes model's own, taught the words of motion without forgetting the others.

Words that fell apart into letters become tokens. Then it learns to tell the parts of a clip, motion among
them, from its last token, while the states of all other words stay near what they were in the caption
without its motion: the denoiser of the scenes model goes on understanding them.
"""

from __future__ import annotations

import json
import random
from difflib import SequenceMatcher
from itertools import pairwise

import torch
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from pipelines.training.course import dice, teach
from pipelines.training.motion.captions import MOTION_WORDS, OPENINGS, STYLE_WORDS, Wording, caption
from pipelines.training.motion.world import MOTIONS, STYLED_SHARE, Clip, random_clip
from pipelines.training.scenes.text import TOKENS, WIDTH, tokens
from pipelines.training.scenes.vocabulary import BACKGROUNDS, COLOURS, PLACES, STYLES, THINGS
from pipelines.training.store import Store

PARTS = (len(THINGS), len(COLOURS), len(BACKGROUNDS), len(MOTIONS) + 1, len(PLACES) + 1, len(STYLES))
SILENT = 0.1  # share of wordings that say no motion
STEPS, BATCH, RATE = 700, 64, 1e-3
FAITH = 4.0  # weight of staying near the old states


def extended(tokenizer: CLIPTokenizer) -> CLIPTokenizer:
    """The same tokenizer, in which every word of the motion captions is one token. Old tokens keep their
    numbers."""
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    vocabulary, merges = dict(model["vocab"]), [tuple(pair) for pair in model["merges"]]
    for word in _new_words():
        pieces = [*word[:-1], word[-1] + "</w>"]
        while len(pieces) > 1:
            pieces = _merged(pieces, merges)
            if len(pieces) > 1:
                merges.append((pieces[0], pieces[1]))
                vocabulary.setdefault(pieces[0] + pieces[1], len(vocabulary))
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TOKENS)


def _new_words() -> list[str]:
    phrases = [words for table in (MOTION_WORDS, STYLE_WORDS) for each in table.values() for words in each]
    return sorted({word for phrase in (*phrases, *OPENINGS) for word in phrase.split()})


def _merged(pieces: list[str], merges: list[tuple[str, str]]) -> list[str]:
    """The pieces after all merges, the earliest first, as byte pair encoding has it."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    while len(pieces) > 1:
        pairs = list(pairwise(pieces))
        best = min(pairs, key=lambda pair: ranks.get(pair, len(ranks)))
        if best not in ranks:
            break
        at = pairs.index(best)
        pieces = [*pieces[:at], "".join(best), *pieces[at + 2 :]]
    return pieces


def grown(encoder: CLIPTextModel, old: CLIPTokenizer, new: CLIPTokenizer) -> CLIPTextModel:
    """A copy of the encoder that knows the new tokens; each starts as the mean of what it was before."""
    known = encoder.get_input_embeddings().weight.data
    rows = known.mean(0).repeat(len(new), 1)
    rows[: len(known)] = known
    for token, number in new.get_vocab().items():
        if number >= len(known):
            pieces = old(token.removesuffix("</w>"), add_special_tokens=False).input_ids
            rows[number] = known[pieces].mean(0)
    config = encoder.config.to_dict() | {"vocab_size": len(new)}
    made = CLIPTextModel(type(encoder.config)(**config))
    state = encoder.state_dict()
    (name,) = [name for name in state if name.endswith("token_embedding.weight")]
    made.load_state_dict({**state, name: rows})
    return made


def numbers(clip: Clip, wording: Wording) -> list[int]:
    """The clip as class numbers, one for each of PARTS; the last of motions and places: none said."""
    motion = MOTIONS.index(wording.motion) if wording.motion else len(MOTIONS)
    place = list(PLACES).index(wording.place) if wording.place else len(PLACES)
    things = [THINGS.index(clip.name), list(COLOURS).index(clip.colour)]
    return [*things, BACKGROUNDS.index(clip.background), motion, place, STYLES.index(clip.style)]


class Reader(nn.Module):
    """The encoder with throwaway heads on its last token and on the mean of all."""

    def __init__(self, encoder: CLIPTextModel) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = nn.ModuleList(nn.Linear(WIDTH, sum(PARTS)) for _ in range(2))

    def forward(self, ids: Tensor) -> tuple[Tensor, list[tuple[Tensor, ...]]]:
        """States (B, TOKENS, WIDTH), and of each head the logits of each part."""
        states = self.encoder(ids).last_hidden_state
        seen = (states[:, -1], states.mean(1))
        return states, [head(x).split(PARTS, 1) for head, x in zip(self.heads, seen, strict=True)]


class Lesson:
    """Batches of captions, and the loss of reading them."""

    def __init__(self, old: CLIPTextModel, old_tokenizer: CLIPTokenizer, tokenizer: CLIPTokenizer) -> None:
        self.old, self.old_tokenizer, self.tokenizer = old, old_tokenizer, tokenizer

    def loss(self, reader: Reader, dice: random.Random, count: int) -> dict[str, Tensor]:
        clips, wordings = self.batch(dice, count)
        ids = tokens(self.tokenizer, [w.text for w in wordings])
        states, heads = reader(ids)
        parts = torch.tensor([numbers(*pair) for pair in zip(clips, wordings, strict=True)])
        reading = torch.stack(
            [nn.functional.cross_entropy(x, parts[:, i]) for head in heads for i, x in enumerate(head)]
        ).mean()
        wanted, counts = self.faithful(ids, [w.still for w in wordings])
        drift = (counts[..., None] * (states - wanted).square()).sum() / counts.sum() / WIDTH
        right = torch.stack([x.argmax(1) for x in heads[0]], 1) == parts
        return {"reading": reading, "drift": drift, "read": right.all(1).float().mean()}

    def batch(self, dice: random.Random, count: int) -> tuple[list[Clip], list[Wording]]:
        clips = [random_clip(dice, styled=STYLED_SHARE) for _ in range(count)]
        return clips, [caption(clip, dice, silent=SILENT) for clip in clips]

    @torch.no_grad()
    def faithful(self, ids: Tensor, stills: list[str]) -> tuple[Tensor, Tensor]:
        """States (B, TOKENS, WIDTH) that the old encoder has for the same words where nothing moves, and
        (B, TOKENS) which of them count: words in both captions, and the padding."""
        old_ids = tokens(self.old_tokenizer, stills)
        old = self.old(old_ids).last_hidden_state
        wanted, counts = torch.zeros_like(old), torch.zeros(ids.shape)
        for row in range(len(ids)):
            matcher = SequenceMatcher(None, old_ids[row].tolist(), ids[row].tolist(), autojunk=False)
            for block in matcher.get_matching_blocks():
                here = slice(block.b, block.b + block.size)
                wanted[row, here] = old[row, block.a : block.a + block.size]
                counts[row, here] = 1
        return wanted, counts


def taught(
    encoder: CLIPTextModel, tokenizer: CLIPTokenizer, new: CLIPTokenizer, store: Store, seed: int
) -> CLIPTextModel:
    """The scenes model's encoder, grown by the tokens of `new` and taught. A few minutes."""
    dice(seed, 0)
    lesson, reader = Lesson(encoder.eval(), tokenizer, new), Reader(grown(encoder, tokenizer, new))

    def figures(step: int) -> dict[str, Tensor]:
        told = lesson.loss(reader, dice(seed, step), BATCH)
        return {"loss": told["reading"] + FAITH * told["drift"], **told}

    teach(reader, figures, store, "motion-text", steps=STEPS, peak=RATE, warm_up=50)
    return reader.encoder.eval().requires_grad_(False)
