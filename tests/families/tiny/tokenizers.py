"""Tokenizers made on the spot, of the real classes."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

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
