"""Tokenizers made on the spot, of the real classes."""

import string

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPTokenizer,
    GemmaTokenizer,
    LlamaTokenizer,
    PreTrainedTokenizerFast,
    Qwen2Tokenizer,
    RobertaTokenizer,
    T5Tokenizer,
)

TALES = [
    "Once upon a time a fox met an owl in the wood.",
    "The owl said: hello, little fox! Where do you go?",
    "Ein Märchen über Füchse, naïve 🦊 und 🦉, مرحبا, 狐.",
]


def clip_tokenizer() -> CLIPTokenizer:
    """Every byte is a token, alone and at a word's end, so that any text can be read."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocab = {piece: number for number, piece in enumerate(pieces)}
    return CLIPTokenizer(vocab=vocab, merges=[], model_max_length=77)


def bpe_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE, so that one character may be several tokens."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|end|>", "<|pad|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(TALES, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|end|>", pad_token="<|pad|>", model_max_length=256
    )


def t5_tokenizer() -> T5Tokenizer:
    """Every printable ASCII character is a token; others are unknown."""
    pieces = ["<pad>", "</s>", "<unk>", "▁", *string.printable.strip()]
    return T5Tokenizer(
        vocab=[(piece, -float(place)) for place, piece in enumerate(pieces)],
        extra_ids=0,
        model_max_length=512,
    )


def qwen_tokenizer() -> Qwen2Tokenizer:
    """Every byte is a token; a chat template of the plainest kind."""
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Qwen2Tokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)},
        merges=[],
        additional_special_tokens=pieces[-2:],
        model_max_length=4096,
    )
    tokenizer.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    return tokenizer


def roberta_tokenizer() -> RobertaTokenizer:
    """Every byte is a token."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    return RobertaTokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)}, merges=[], model_max_length=77
    )


BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
"""How tokenizers of the Llama kind write a byte of a character that is no token."""


def llama_tokenizer() -> LlamaTokenizer:
    """Every byte is a token."""
    pieces = ["<pad>", "<s>", "</s>", "<unk>", *BYTES]
    return LlamaTokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)},
        merges=[],
        pad_token="<pad>",
        model_max_length=2048,
    )


def gemma_tokenizer() -> GemmaTokenizer:
    """Every byte is a token."""
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *BYTES]
    return GemmaTokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)}, merges=[], model_max_length=1024
    )
