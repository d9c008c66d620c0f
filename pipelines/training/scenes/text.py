"""The text encoder: a small CLIP text model that first learns to read, before any picture is drawn from it.

It is trained to tell the scene's parts from the caption through throwaway linear heads. The denoiser then
starts from embeddings in which the parts already lie apart, and learns from them far sooner than from raw
words.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from pipelines.training.scenes.captions import caption
from pipelines.training.scenes.sampling import random_scene
from pipelines.training.scenes.vocabulary import BACKGROUNDS, COLOURS, PLACES, SIZES, STYLES, THINGS, Scene

TOKENS = 32  # a caption's length with its padding; the longest wordings of three things are cut there
WIDTH = 128
BATCH = 64
CURRICULUM = (1, 2, 2, 3)  # things in a caption, drawn evenly: harder than the denoiser's, as words are cheap
LIKENESS = 3.0  # how much it counts that captions without a style keep the states they had
SLOTS = 3  # things a scene may hold
VOCABULARY = 1000  # tokens at most: every byte, and every word of the captions whole
START, END = "<|startoftext|>", "<|endoftext|>"


def build_tokenizer(seed: int = 0) -> CLIPTokenizer:
    """A CLIP tokenizer whose merges come from sample captions; unknown words fall apart into bytes."""
    from tokenizers import pre_tokenizers, trainers

    dice = random.Random(seed)
    texts = [caption(random_scene(dice), dice).text for _ in range(20_000)]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        end_of_word_suffix="</w>",
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    blank = CLIPTokenizer(vocab={START: 0, END: 1}, merges=[])
    blank.backend_tokenizer.train_from_iterator(texts, trainer)
    return _from_merges(blank)


def _from_merges(trained: CLIPTokenizer) -> CLIPTokenizer:
    """A fresh tokenizer in CLIP's own order: bytes, bytes that end a word, merges, the two marks."""
    import json

    from tokenizers import pre_tokenizers

    model = json.loads(trained.backend_tokenizer.to_str())["model"]
    merges = [tuple(pair) for pair in model["merges"]]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = dict.fromkeys(
        [*alphabet, *(byte + "</w>" for byte in alphabet), *("".join(pair) for pair in merges)]
    )
    vocabulary = {word: at for at, word in enumerate([*words, START, END])}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TOKENS)


def extended(tokenizer: CLIPTokenizer, words: Iterable[str]) -> CLIPTokenizer:
    """The tokenizer with each of these words a token of its own; ids that it had stay as they were."""
    import json

    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    vocabulary, merges = dict(model["vocab"]), [tuple(pair) for pair in model["merges"]]
    for word in words:
        pieces = tokenizer.tokenize(word)
        whole = pieces[0]
        for piece in pieces[1:]:
            if (whole, piece) not in merges:
                merges.append((whole, piece))
            whole += piece
            vocabulary.setdefault(whole, len(vocabulary))
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TOKENS)


def words_of_captions(seed: int = 0) -> list[str]:
    """Every word that captions use, in a fixed order."""
    dice = random.Random(seed)
    texts = (caption(random_scene(dice), dice).text for _ in range(5_000))
    return sorted({word for words in texts for word in words.replace(",", " ").split()})


def grown(encoder: CLIPTextModel, tokens: int) -> CLIPTextModel:
    """An encoder with room for so many tokens, new ones untrained, and all else as it was."""
    state = encoder.state_dict()
    name = next(name for name in state if name.endswith("token_embedding.weight"))
    old = state[name]
    state[name] = torch.cat([old, torch.randn(tokens - len(old), old.shape[1]) * old.std()])
    larger = CLIPTextModel(CLIPTextConfig(**{**encoder.config.to_dict(), "vocab_size": tokens}))
    larger.load_state_dict(state)
    return larger


def tokens(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    """(B, TOKENS) ids, padded and cut as the diffusers pipelines do it."""
    rows = tokenizer(texts, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt")
    return rows.input_ids


def build(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """An untrained encoder for this tokenizer."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=3 * WIDTH,
            projection_dim=WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


class Reader(nn.Module):
    """The encoder with throwaway heads, on the last token, which has seen all, and on the mean."""

    FIELDS = (
        len(THINGS) + 1,
        len(COLOURS) + 1,
        len(PLACES) + 1,
        len(SIZES) + 1,
    )  # the last of each: no such thing

    def __init__(self, encoder: CLIPTextModel) -> None:
        super().__init__()
        self.encoder = encoder
        classes = SLOTS * sum(self.FIELDS) + len(BACKGROUNDS) + len(STYLES)
        self.from_last, self.from_mean = nn.Linear(WIDTH, classes), nn.Linear(WIDTH, classes)

    def forward(self, ids: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """For each part of the scene, logits (B, classes): from the last token, and from the mean."""
        states = self.encoder(ids).last_hidden_state
        sizes = [*self.FIELDS * SLOTS, len(BACKGROUNDS), len(STYLES)]
        return self.from_last(states[:, -1]).split(sizes, 1), self.from_mean(states.mean(1)).split(sizes, 1)

    def loss(self, ids: Tensor, parts: Tensor) -> Tensor:
        """Mean cross entropy over all parts (B, 3 x 4 + 2) and both heads."""
        heads = self(ids)
        losses = [nn.functional.cross_entropy(x, parts[:, i]) for head in heads for i, x in enumerate(head)]
        return torch.stack(losses).mean()


def parts(scene: Scene) -> list[int]:
    """The scene as class numbers: name, colour, place, size of each slot, then background and style."""
    numbers: list[int] = []
    for thing in scene.things:
        numbers += [THINGS.index(thing.name), list(COLOURS).index(thing.colour)]
        numbers += [list(PLACES).index(thing.place), _size_class(thing.size)]
    absent = [size - 1 for size in Reader.FIELDS]
    whole = [BACKGROUNDS.index(scene.background), STYLES.index(scene.style)]
    return numbers + absent * (SLOTS - len(scene.things)) + whole


def _size_class(size: int) -> int:
    return next(i for i, (_, high) in enumerate(SIZES.values()) if size <= high)
