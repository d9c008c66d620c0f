"""Causal language models of random weights: one that only goes on, one that chats and fills in code, and one
whose layers keep a state instead of a cache."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3NextConfig,
    Qwen3NextForCausalLM,
)

from tests.families.cases import Case
from tests.families.tiny.tokenizers import bpe_tokenizer

CHAT_TOKENS = ("<|im_start|>", "<|im_end|>", "<|im_pause|>")
INFILL_TOKENS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")

CHAT_TEMPLATE = """\
{%- if messages[0].role == 'assistant' %}{{ raise_exception('an answer needs a question') }}{% endif -%}
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt %}<|im_start|>assistant
{% if mood %}[{{ mood }}] {% endif %}{% endif -%}"""


def chat_tokenizer(extra: Sequence[str] = INFILL_TOKENS) -> PreTrainedTokenizerFast:
    """A BPE with the tokens of a chat template, and those of `extra`."""
    tokenizer = bpe_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": [*CHAT_TOKENS, *extra]})
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def save_causal_lm(folder: Path) -> Path:
    """A LlamaForCausalLM of random weights, with its tokenizer."""
    return _save(LlamaForCausalLM, LlamaConfig, bpe_tokenizer(), folder)


def save_chat_lm(folder: Path) -> Path:
    """A Qwen3ForCausalLM with a chat template and tokens for infilling."""
    return _save(Qwen3ForCausalLM, Qwen3Config, chat_tokenizer(), folder, head_dim=8)


def save_window_lm(folder: Path) -> Path:
    """A MistralForCausalLM, each of whose tokens sees only the last eight."""
    return _save(MistralForCausalLM, MistralConfig, bpe_tokenizer(), folder, sliding_window=8)


def save_hybrid_lm(folder: Path) -> Path:
    """A Qwen3NextForCausalLM: every second layer keeps one state of all tokens, which cannot be padded."""
    return _save(
        Qwen3NextForCausalLM,
        Qwen3NextConfig,
        bpe_tokenizer(),
        folder,
        head_dim=8,
        layer_types=["linear_attention", "full_attention"],
        linear_num_key_heads=2,
        linear_num_value_heads=2,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        num_experts=2,
        num_experts_per_tok=1,
        moe_intermediate_size=16,
        shared_expert_intermediate_size=16,
    )


def _save(model: Any, config: Any, tokenizer: PreTrainedTokenizerFast, folder: Path, **fields: Any) -> Path:
    torch.manual_seed(0)
    sizes = config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **fields,
    )
    model(sizes).eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


WORDS = {"prompt": "Once upon a time", "max_tokens": 60}
MANY = {"n": 16}
"""Texts at once: random weights end one after some 260 tokens, but one of so many goes on for long."""

CASES = [
    Case("causal_lm", "causal_lm", save_causal_lm, {"text": WORDS}, serves=True, longer=MANY),
    Case(
        "chat_lm",
        "causal_lm",
        save_chat_lm,
        {
            "text": WORDS,
            "chat": {"messages": [{"role": "user", "content": "Who are you?"}], "max_tokens": 60},
            "code": {
                "prefix": "def add(a, b):\n",
                "language": "python",
                "max_tokens": 60,
            },
        },
        serves=True,
        longer=MANY,
    ),
    Case("hybrid_lm", "causal_lm", save_hybrid_lm, {"text": WORDS}, serves=True, longer=MANY),
]
