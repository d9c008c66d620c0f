"""A HunyuanVideo of random weights."""

import itertools
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLHunyuanVideo,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideoPipeline,
    HunyuanVideoTransformer3DModel,
)
from diffusers.pipelines.hunyuan_video.pipeline_hunyuan_video import DEFAULT_PROMPT_TEMPLATE
from transformers import LlamaTokenizer

from tests.families.cases import CLIP, Case
from tests.families.tiny.encoders import WIDTH, clip_encoder, llama_encoder
from tests.families.tiny.tokenizers import clip_tokenizer, llama_tokenizer

CHANNELS = 4  # of the latents


def save_hunyuan_video(folder: Path) -> Path:
    """A HunyuanVideoPipeline of random weights: 8 pixels and 4 frames to a latent."""
    torch.manual_seed(0)
    tokenizer, tokenizer_2 = _template_tokenizer(), clip_tokenizer()
    transformer = HunyuanVideoTransformer3DModel(
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        num_attention_heads=2,
        attention_head_dim=12,
        num_layers=1,
        num_single_layers=1,
        num_refiner_layers=1,
        mlp_ratio=2.0,
        text_embed_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        rope_axes_dim=(4, 4, 4),
    )
    vae = AutoencoderKLHunyuanVideo(
        latent_channels=CHANNELS, block_out_channels=(4, 8, 8, 8), layers_per_block=1, norm_num_groups=4
    )
    HunyuanVideoPipeline(
        text_encoder=llama_encoder(tokenizer),
        tokenizer=tokenizer,
        transformer=transformer.eval(),
        vae=vae.eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
        text_encoder_2=clip_encoder(tokenizer_2),
        tokenizer_2=tokenizer_2,
    ).save_pretrained(folder)
    return folder


def _template_tokenizer() -> LlamaTokenizer:
    """The pipeline puts words round each prompt and cuts off the first 95 tokens: what it puts before it must
    be so many. (Two more come of a piece that is read as a like one and some letters.)"""
    before, _, after = DEFAULT_PROMPT_TEMPLATE["template"].partition("{}")
    pieces = DEFAULT_PROMPT_TEMPLATE["crop_start"] - 2
    short, longer = divmod(len(before), pieces)
    cuts = itertools.accumulate([short + 1] * longer + [short] * (pieces - longer), initial=0)
    tokenizer = llama_tokenizer()
    tokenizer.add_tokens([*(before[start:end] for start, end in itertools.pairwise(cuts)), after])
    return tokenizer


SMALL = {**CLIP, "frames": 5}

CASES = [
    Case("hunyuan_video", "hunyuan_video", save_hunyuan_video, {"text-to-video": SMALL}, tolerance=1 / 255),
]
