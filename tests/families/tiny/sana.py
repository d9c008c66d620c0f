"""Sana and Sana Sprint of random weights."""

from inspect import signature
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderDC,
    DPMSolverMultistepScheduler,
    SanaPipeline,
    SanaSprintPipeline,
    SanaTransformer2DModel,
    SCMScheduler,
)
from transformers import Gemma2Config, Gemma2Model

from tests.families.cases import Case, Given
from tests.families.tiny.encoders import WIDTH
from tests.families.tiny.tokenizers import gemma_tokenizer

CHANNELS = 4


def save_sana(folder: Path) -> Path:
    """A SanaPipeline of random weights (latents are 1/4 of the pixels)."""
    torch.manual_seed(0)
    scheduler = DPMSolverMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, solver_order=2
    )
    SanaPipeline(scheduler=scheduler, transformer=_transformer(), **_parts()).save_pretrained(folder)
    return folder


def save_sana_sprint(folder: Path) -> Path:
    """A SanaSprintPipeline of random weights: it has learned its guidance as a number."""
    torch.manual_seed(0)
    scheduler = SCMScheduler(prediction_type="trigflow", sigma_data=0.5)
    transformer = _transformer(guidance_embeds=True, qk_norm="rms_norm_across_heads")
    SanaSprintPipeline(scheduler=scheduler, transformer=transformer, **_parts()).save_pretrained(folder)
    return folder


def _transformer(**more: Any) -> SanaTransformer2DModel:
    return SanaTransformer2DModel(
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        num_attention_heads=2,
        attention_head_dim=16,
        num_layers=2,
        num_cross_attention_heads=2,
        cross_attention_head_dim=16,
        cross_attention_dim=32,
        caption_channels=WIDTH,
        sample_size=32,
        **more,
    ).eval()


def _parts() -> dict[str, Any]:
    tokenizer = gemma_tokenizer()
    lesson = signature(SanaPipeline.__call__).parameters["complex_human_instruction"].default
    tokenizer.add_tokens(sorted(set(" ".join(lesson).split())))  # letter by letter it would take seconds
    sizes = Gemma2Config(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    vae = AutoencoderDC(
        latent_channels=CHANNELS,
        attention_head_dim=4,
        encoder_block_types=("ResBlock", "ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "ResBlock", "EfficientViTBlock"),
        encoder_block_out_channels=(8, 8, 16),
        decoder_block_out_channels=(8, 8, 16),
        encoder_layers_per_block=(1, 1, 1),
        decoder_layers_per_block=(1, 1, 1),
        encoder_qkv_multiscales=((), (), (5,)),
        decoder_qkv_multiscales=((), (), (5,)),
        upsample_block_type="interpolate",
        downsample_block_type="conv",
        scaling_factor=0.4,
    )
    return {"tokenizer": tokenizer, "text_encoder": Gemma2Model(sizes).eval(), "vae": vae.eval()}


SMALL = {"prompt": "a fox", "width": 64, "height": 64}

CASES = [
    Case(
        name="sana",
        family="sana",
        save=save_sana,
        inputs={"text-to-image": {**SMALL, "steps": 4}},
        tolerance=1 / 255,
    ),
    Case(
        name="sana-sprint",
        family="sana_sprint",
        save=save_sana_sprint,
        inputs={
            "text-to-image": {**SMALL, "steps": 2},
            "image-to-image": {**SMALL, "steps": 4, "image": Given("image")},
        },
        tolerance=1 / 255,
    ),
]
