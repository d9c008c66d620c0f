"""The tokenizer: byte-level BPE with the tokens of infilling, conversations and ends; digits stand alone."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from pipelines.families._prompts import Prompter
from pipelines.training.bpe import byte_level
from pipelines.training.snippets.texts import Example, example

VOCABULARY = 1024
CONTEXT = 512  # tokens
PAD, START, END = "<|pad|>", "<|start|>", "<|endoftext|>"
TALK = ("<|system|>", "<|user|>", "<|assistant|>")
INFILL = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|' + message.role + '|>' + message.content + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
READ = 12_000  # examples that the vocabulary is learned from


def build_tokenizer(seed: int = 0) -> PreTrainedTokenizerFast:
    """Learned from examples; every text is begun with START."""
    return wrapped(byte_level(_read(seed), VOCABULARY, [PAD, START, END, *TALK, *INFILL], START))


def wrapped(inner: Tokenizer) -> PreTrainedTokenizerFast:
    """The tokenizer as transformers has it."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[*TALK, *INFILL],
        model_max_length=CONTEXT,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def _read(seed: int) -> Iterator[str]:
    dice = random.Random(f"vocabulary {seed}")
    for _ in range(READ):
        one = example(dice)
        yield one.asked.prompt + "\n" + one.asked.prefix + one.answer + one.asked.suffix


class Encoder:
    """Examples as the family will lay out such requests: ids, and from which place on they are answers."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer, self.prompter = tokenizer, Prompter(tokenizer)

    def encode(self, one: Example) -> tuple[list[int], int]:
        before = self.prompter.read("code", one.asked).ids
        after = self.tokenizer(one.answer, add_special_tokens=False).input_ids
        return [*before, *after, self.tokenizer.eos_token_id], len(before)
