"""Wan models of random weights: as 2.1 is, with a picture to start from, and in two halves as 2.2 is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLWan,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
)
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModel

from tests.families.cases import CLIP, Case, Given
from tests.families.tiny.encoders import WIDTH, umt5_encoder
from tests.families.tiny.tokenizers import t5_tokenizer

CHANNELS = 4  # of the latents
SEEN = 16  # numbers that stand for one patch of a picture


def save_wan(folder: Path) -> Path:
    """A WanPipeline of random weights: 8 pixels and 4 frames to a latent."""
    _parts(WanPipeline, transformer=_transformer(CHANNELS)).save_pretrained(folder)
    return folder


def save_wan_i2v(folder: Path) -> Path:
    """A WanImageToVideoPipeline, which sees the picture by a CLIP, too."""
    torch.manual_seed(1)
    sizes = CLIPVisionConfig(
        hidden_size=SEEN,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=16,
        projection_dim=SEEN,
    )
    _parts(
        WanImageToVideoPipeline,
        transformer=_transformer(2 * CHANNELS + 4, image_dim=SEEN, added_kv_proj_dim=24),
        image_encoder=CLIPVisionModel(sizes).eval(),
        image_processor=CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
    ).save_pretrained(folder)
    return folder


def save_wan_halves(folder: Path) -> Path:
    """A WanPipeline with one transformer for the noisier steps, and one for the others."""
    _parts(
        WanPipeline,
        transformer=_transformer(CHANNELS),
        transformer_2=_transformer(CHANNELS, seed=3),
        boundary_ratio=0.8,
    ).save_pretrained(folder)
    return folder


def save_wan_5b(folder: Path) -> Path:
    """A WanPipeline whose frames have a noise each, so that it takes a first picture, too, as the model of
    5 B of 2.2: 16 pixels to a latent."""
    parts = _parts(WanPipeline, transformer=_transformer(CHANNELS), expand_timesteps=True)
    parts.register_modules(
        vae=_vae(is_residual=True, patch_size=2, in_channels=12, out_channels=12, scale_factor_spatial=16)
    )
    parts.save_pretrained(folder)
    return folder


def _parts(pipeline: Any, **parts: Any) -> Any:
    torch.manual_seed(0)
    tokenizer = t5_tokenizer()
    return pipeline(
        text_encoder=umt5_encoder(tokenizer),
        tokenizer=tokenizer,
        vae=_vae(),
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
        **parts,
    )


def _transformer(channels: int, *, seed: int = 1, **fields: Any) -> WanTransformer3DModel:
    torch.manual_seed(seed)
    return WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=channels,
        out_channels=CHANNELS,
        text_dim=WIDTH,
        freq_dim=16,
        ffn_dim=32,
        num_layers=2,
        rope_max_seq_len=32,
        **fields,
    ).eval()


def _vae(**fields: Any) -> AutoencoderKLWan:
    torch.manual_seed(2)
    return AutoencoderKLWan(
        base_dim=4,
        z_dim=CHANNELS,
        dim_mult=[1, 1, 2, 2],
        num_res_blocks=1,
        latents_mean=[0.1, -0.1, 0.2, 0.0],
        latents_std=[1.0, 1.5, 0.9, 1.1],
        **fields,
    ).eval()


SMALL: Mapping[str, Any] = {**CLIP, "frames": 5, "fps": 8}

CASES = [
    Case(
        "wan",
        "wan",
        save_wan,
        {
            "text-to-video": SMALL,
            "video-to-video": {**SMALL, "video": Given("video"), "fps": 24, "strength": 0.7},
        },
        tolerance=1 / 255,
    ),
    Case(
        "wan_i2v",
        "wan",
        save_wan_i2v,
        {"image-to-video": {**SMALL, "image": Given("image")}},
        tolerance=1 / 255,
    ),
    Case(
        "wan_5b",
        "wan",
        save_wan_5b,
        {
            "text-to-video": SMALL,
            "image-to-video": {**SMALL, "image": Given("image")},
        },
        tolerance=1 / 255,
    ),
    Case("wan_halves", "wan", save_wan_halves, {"text-to-video": SMALL}, tolerance=1 / 255),
]
