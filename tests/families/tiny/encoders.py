"""Text encoders and autoencoders of random weights, that several pipelines share."""

from typing import Any

from diffusers import AutoencoderKL
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    LlamaConfig,
    LlamaModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    UMT5Config,
    UMT5EncoderModel,
)

WIDTH = 32
"""Of every encoder's hidden states."""


def clip_encoder(tokenizer: Any, *, projection: bool = False) -> Any:
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        projection_dim=WIDTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config).eval()


def t5_encoder(tokenizer: Any) -> T5EncoderModel:
    config = T5Config(vocab_size=len(tokenizer), d_model=WIDTH, d_kv=8, d_ff=48, num_layers=2, num_heads=4)
    return T5EncoderModel(config).eval()


def umt5_encoder(tokenizer: Any) -> UMT5EncoderModel:
    """A T5 for many languages."""
    config = UMT5Config(vocab_size=len(tokenizer), d_model=WIDTH, d_kv=8, d_ff=48, num_layers=2, num_heads=4)
    return UMT5EncoderModel(config).eval()


def llama_encoder(tokenizer: Any) -> LlamaModel:
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaModel(config).eval()


def qwen3_encoder(tokenizer: Any, *, head: bool, layers: int = 2, heads: int = 4) -> Any:
    """With the head of a language model, or without."""
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=48,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=(heads + 1) // 2,
        head_dim=8,
        max_position_embeddings=2048,
    )
    return (Qwen3ForCausalLM if head else Qwen3Model)(config).eval()


def qwen25_encoder(tokenizer: Any) -> Qwen2_5_VLForConditionalGeneration:
    """Qwen 2.5 VL, of which only the reading of words is used."""
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": WIDTH,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 2048,
            "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10_000.0},
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 24,
            "num_heads": 2,
            "out_hidden_size": WIDTH,
            "fullatt_block_indexes": [0],
        },
    )
    return Qwen2_5_VLForConditionalGeneration(config).eval()


def kl_autoencoder(channels: int = 4, **more: Any) -> AutoencoderKL:
    """Latents are a quarter as wide and high as pictures."""
    return AutoencoderKL(
        block_out_channels=(8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=channels,
        norm_num_groups=4,
        sample_size=64,
        **more,
    ).eval()
