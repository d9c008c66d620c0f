"""A causal language model of random weights."""

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tests.families.tiny.tokenizers import bpe_tokenizer


def save_causal_lm(folder: Path) -> Path:
    """A LlamaForCausalLM of random weights, with its tokenizer."""
    torch.manual_seed(0)
    tokenizer = bpe_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
