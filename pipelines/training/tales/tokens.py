"""The tokenizer, and exercises as token ids. Conversations and plain texts are told apart by their marks."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from pipelines.training.bpe import byte_level
from pipelines.training.tales.exercises import Exercise, draw
from pipelines.training.tales.words import LIVES, NAMES, SIDES, THING_WORDS, TINTS, TRAITS

VOCABULARY = 1280  # byte-level tokens: enough for nearly every word of the grammar
CONTEXT = 512  # tokens
ROW = 256  # tokens of a row of training: hardly an exercise is longer
PAD, START, END, USER, ANSWER = "<|pad|>", "<|start|>", "<|end|>", "<|user|>", "<|answer|>"
WHOLE = (*LIVES, *THING_WORDS, *sorted(NAMES), *TRAITS, *TINTS)  # each becomes one token: easier to copy
READ_ONLY, NEW, SAID = 0, 1, 2  # what a token of an exercise is
READ = 5  # turns of a conversation that are read, the last ones; what a system message says is not read
TEMPLATE = (
    "{{ bos_token }}{% set said = messages | rejectattr('role', 'equalto', 'system') | list %}"
    f"{{% for one in said[-{READ}:] %}}"
    f"{{% if one['role'] == 'user' %}}{USER}{{{{ one['content'] | trim }}}}"
    f"{{% else %}}{ANSWER}{{{{ one['content'] | trim }}}}{END}{{% endif %}}{{% endfor %}}"
    f"{{% if add_generation_prompt %}}{ANSWER}{{% endif %}}"
)


def build_tokenizer(seed: int = 0) -> PreTrainedTokenizerFast:
    """A byte-level BPE over exercises; every text is started with START."""
    dice = random.Random(f"tokens:{seed}")
    drawn = [draw(dice) for _ in range(4000)]
    texts = [text for one in drawn for text in (*one.turns, one.answer)]
    texts += [f" {word}" for word in WHOLE] * 100
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=byte_level(texts, VOCABULARY, [PAD, START, END, USER, ANSWER], START),
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=[USER, ANSWER],
        model_max_length=CONTEXT,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


class Speller:
    """Exercises to ids."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        names = (START, END, USER, ANSWER)
        self.start, self.end, self.user, self.answer = tokenizer.convert_tokens_to_ids(list(names))
        told = (*WHOLE, *(side.split()[0] for side in SIDES))
        forms = [self._plain(form) for word in told for form in (word, f" {word}", f" {word}".title())]
        self.whole = {form[0] for form in forms if len(form) == 1}

    def prompt(self, exercise: Exercise) -> list[int]:
        """What stands before the answer, as the family that serves it writes it."""
        if not exercise.chat:
            return [self.start, *self._plain(exercise.turns[0])]
        ids = [self.start]
        for at, turn in enumerate(exercise.turns):
            ids += [self.answer if at % 2 else self.user, *self._plain(turn), *([self.end] if at % 2 else [])]
        return [*ids, self.answer]

    def spell(self, exercise: Exercise) -> tuple[list[int], list[int]]:
        """Ids, and for each whether it is only read (READ_ONLY) or learned: as the word for somebody, for
        something or for where it is that was said before (SAID), or as anything else (NEW)."""
        before, answer = self.prompt(exercise), [*self._plain(exercise.answer), self.end]
        begin = 1 if exercise.begins and not exercise.chat else len(before)
        ids = before + answer
        learned, met = [READ_ONLY] * begin, set(ids[:begin])
        for token in ids[begin:]:
            learned.append(SAID if token in met and token in self.whole else NEW)
            met.add(token)
        return ids, learned

    def _plain(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        return ids


class Rows:
    """Texts packed into rows of ROW tokens; a text sees only itself. One longer than a row is left out."""

    def __init__(self, spelled: Sequence[tuple[list[int], list[int]]]) -> None:
        rows: list[list[tuple[list[int], list[int]]]] = []
        room: list[int] = []
        fitting = [one for one in spelled if len(one[0]) <= ROW]
        for one in sorted(fitting, key=lambda one: -len(one[0])):
            at = next((at for at, left in enumerate(room) if left >= len(one[0])), len(rows))
            if at == len(rows):
                rows.append([])
                room.append(ROW)
            rows[at].append(one)
            room[at] -= len(one[0])
        self.ids = np.zeros((len(rows), ROW), np.int64)
        self.learned = np.full((len(rows), ROW), READ_ONLY, np.int64)  # what a token is
        self.texts = np.full((len(rows), ROW), -1, np.int64)  # which text a token belongs to
        self.places = np.zeros((len(rows), ROW), np.int64)
        for row, texts in enumerate(rows):
            self._fill(row, texts)

    def _fill(self, row: int, texts: list[tuple[list[int], list[int]]]) -> None:
        at = 0
        for number, (ids, learned) in enumerate(texts):
            here = slice(at, at + len(ids))
            self.ids[row, here] = ids
            self.learned[row, here] = learned
            self.texts[row, here] = number
            self.places[row, here] = np.arange(len(ids))
            at += len(ids)

    def tensors(self) -> dict[str, Tensor]:
        """What the model's forward takes, and what each token is, for the loss."""
        texts = torch.from_numpy(self.texts)
        same = texts[:, None, :, None] == texts[:, None, None, :]
        seen = same & torch.ones(ROW, ROW, dtype=torch.bool).tril()
        return {
            "input_ids": torch.from_numpy(self.ids),
            "learned": torch.from_numpy(self.learned),
            "position_ids": torch.from_numpy(self.places),
            "attention_mask": torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min),
        }
