"""Models with the real classes and tiny random weights, built on the spot and saved as the big ones are."""

from tests.families.tiny.causal_lm import save_causal_lm
from tests.families.tiny.stable_diffusion import save_stable_diffusion
from tests.families.tiny.tokenizers import TALES, bpe_tokenizer, clip_tokenizer

__all__ = ["TALES", "bpe_tokenizer", "clip_tokenizer", "save_causal_lm", "save_stable_diffusion"]
