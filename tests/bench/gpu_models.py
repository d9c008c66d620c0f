"""Pipelines of random weights in the shape and size of Stable Diffusion XL and FLUX.1 dev, or tiny ones.

The numbers are those of the published checkpoints' `config.json`. Words and pictures mean nothing to such
weights, but they take the same time and memory. The tokenizers are made on the spot, with far fewer tokens
than the encoders have places for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, T5Config, T5EncoderModel

from tests.families.tiny.flux import save_flux
from tests.families.tiny.sdxl import save_sdxl
from tests.families.tiny.tokenizers import clip_tokenizer, t5_tokenizer

CLIP_L = {
    "vocab_size": 49408,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "projection_dim": 768,
}
CLIP_BIG_G = {
    **{"vocab_size": 49408, "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32},
    **{"num_attention_heads": 20, "projection_dim": 1280, "hidden_act": "gelu"},
}
T5_XXL = {
    **{"vocab_size": 32128, "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64},
    "feed_forward_proj": "gated-gelu",
}
AUTOENCODER = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "sample_size": 1024,
}
SDXL_UNET = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "layers_per_block": 2,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": (5, 10, 20),
    "transformer_layers_per_block": (1, 2, 10),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
FLUX_TRANSFORMER = {
    "in_channels": 64,
    "num_layers": 19,
    "num_single_layers": 38,
    "attention_head_dim": 128,
    "num_attention_heads": 24,
    "joint_attention_dim": 4096,
    "pooled_projection_dim": 768,
    "guidance_embeds": True,
    "axes_dims_rope": (16, 56, 56),
}


@dataclass(frozen=True)
class Shape:
    """One model to measure, and what it is asked for."""

    name: str
    """Of the model in the catalog; the last part is its family."""
    pipeline: Any
    save: Callable[[Path], object]
    """Writes its folder."""
    side: int
    """Width and height of the pictures, in pixels."""
    steps: int
    guidance: float
    batch: int
    """Rows of a full batch."""

    @property
    def family(self) -> str:
        return self.name.rpartition("/")[2]


def shapes(device: str, *, tiny: bool) -> list[Shape]:
    """Both; `tiny` ones take no time, and their figures mean nothing."""
    if tiny:
        return [
            Shape("bench/sdxl", StableDiffusionXLPipeline, save_sdxl, 64, 4, 5.0, 2),
            Shape("bench/flux", FluxPipeline, save_flux, 64, 4, 3.5, 2),
        ]
    return [
        Shape(
            *("bench/sdxl", StableDiffusionXLPipeline, lambda folder: _save_sdxl(device, folder)),
            *(1024, 20, 5.0, 8),
        ),
        Shape("bench/flux", FluxPipeline, lambda folder: _save_flux(device, folder), 1024, 20, 3.5, 4),
    ]


def _save_sdxl(device: str, folder: Path) -> None:
    tokenizer = clip_tokenizer()
    pipe = StableDiffusionXLPipeline(
        **drawn(sdxl_parts, device),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading"
        ),
        add_watermarker=False,
    )
    pipe.save_pretrained(folder)


def _save_flux(device: str, folder: Path) -> None:
    pipe = FluxPipeline(
        **drawn(flux_parts, device),
        tokenizer=clip_tokenizer(),
        tokenizer_2=t5_tokenizer(),
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0),
    )
    pipe.save_pretrained(folder)


def drawn(make: Callable[[], dict[str, Any]], device: str) -> dict[str, Any]:
    """The parts in bfloat16, their numbers drawn on the device: on a CPU that takes minutes."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        torch.manual_seed(0)
        with torch.device(device):
            return {name: part.eval() for name, part in make().items()}
    finally:
        torch.set_default_dtype(before)


def sdxl_parts() -> dict[str, Any]:
    tokenizer = clip_tokenizer()
    return {
        "vae": AutoencoderKL(**AUTOENCODER, latent_channels=4, scaling_factor=0.13025),
        "text_encoder": CLIPTextModel(_clip(CLIP_L, tokenizer)),
        "text_encoder_2": CLIPTextModelWithProjection(_clip(CLIP_BIG_G, tokenizer)),
        "unet": UNet2DConditionModel(**SDXL_UNET),
    }


def flux_parts() -> dict[str, Any]:
    vae = {"scaling_factor": 0.3611, "shift_factor": 0.1159}
    vae |= {"use_quant_conv": False, "use_post_quant_conv": False}
    return {
        "vae": AutoencoderKL(**AUTOENCODER, latent_channels=16, **vae),
        "text_encoder": CLIPTextModel(_clip(CLIP_L, clip_tokenizer())),
        "text_encoder_2": T5EncoderModel(T5Config(**T5_XXL)),
        "transformer": FluxTransformer2DModel(**FLUX_TRANSFORMER),
    }


def _clip(numbers: dict[str, Any], tokenizer: Any) -> CLIPTextConfig:
    """Whose summary stands where this tokenizer's end is."""
    ends = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    return CLIPTextConfig(**numbers, **ends)
