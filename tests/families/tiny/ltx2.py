"""An LTX-2 of random weights: it makes sound with the video."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLLTX2Audio,
    AutoencoderKLLTX2Video,
    FlowMatchEulerDiscreteScheduler,
    LTX2Pipeline,
    LTX2VideoTransformer3DModel,
)
from diffusers.pipelines.ltx2 import LTX2TextConnectors, LTX2Vocoder
from transformers import Gemma3Config, Gemma3ForConditionalGeneration

from tests.families.cases import CLIP, Case, Given
from tests.families.tiny.encoders import WIDTH
from tests.families.tiny.tokenizers import gemma_tokenizer

CHANNELS = 8  # of the video's latents
TONES = 8  # bands that the sound is made of, of which four become one latent
SOUND_CHANNELS = 2


def save_ltx2(folder: Path) -> Path:
    """An LTX2Pipeline of random weights: 32 pixels and 8 frames to a latent; 24,000 samples a second."""
    torch.manual_seed(0)
    tokenizer = gemma_tokenizer()
    encoder = _gemma(len(tokenizer))
    connectors = LTX2TextConnectors(
        caption_channels=WIDTH,
        text_proj_in_factor=encoder.config.text_config.num_hidden_layers + 1,
        video_connector_num_attention_heads=2,
        video_connector_attention_head_dim=WIDTH // 2,
        video_connector_num_layers=1,
        video_connector_num_learnable_registers=8,
        audio_connector_num_attention_heads=2,
        audio_connector_attention_head_dim=WIDTH // 2,
        audio_connector_num_layers=1,
        audio_connector_num_learnable_registers=8,
        connector_rope_base_seq_len=32,
        rope_double_precision=False,
    )
    LTX2Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True,
            base_shift=0.95,
            max_shift=2.05,
            base_image_seq_len=1024,
            max_image_seq_len=4096,
            shift_terminal=0.1,
        ),
        vae=_video_vae(),
        audio_vae=_sound_vae(),
        text_encoder=encoder,
        tokenizer=tokenizer,
        connectors=connectors.eval(),
        transformer=_transformer(),
        vocoder=_vocoder(),
    ).save_pretrained(folder)
    return folder


def _gemma(words: int) -> Gemma3ForConditionalGeneration:
    text = {
        "vocab_size": words,
        "hidden_size": WIDTH,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "layer_types": ["full_attention"] * 2,
    }
    sight = {
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "image_size": 16,
        "patch_size": 8,
    }
    return Gemma3ForConditionalGeneration(
        Gemma3Config(text_config=text, vision_config=sight, mm_tokens_per_image=4)
    ).eval()


def _transformer() -> LTX2VideoTransformer3DModel:
    return LTX2VideoTransformer3DModel(
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        audio_in_channels=SOUND_CHANNELS * TONES // 4,
        audio_out_channels=SOUND_CHANNELS * TONES // 4,
        audio_num_attention_heads=2,
        audio_attention_head_dim=4,
        audio_cross_attention_dim=8,
        num_layers=2,
        caption_channels=WIDTH,
        rope_double_precision=False,
    ).eval()


def _video_vae() -> AutoencoderKLLTX2Video:
    return AutoencoderKLLTX2Video(
        latent_channels=CHANNELS,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 16, 32),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1),
        spatial_compression_ratio=32,
        temporal_compression_ratio=8,
    ).eval()


def _sound_vae() -> AutoencoderKLLTX2Audio:
    return AutoencoderKLLTX2Audio(
        base_channels=4,
        ch_mult=(1, 1, 1),
        num_res_blocks=1,
        resolution=TONES * 4,
        latent_channels=SOUND_CHANNELS,
        mel_bins=TONES,
    ).eval()


def _vocoder() -> LTX2Vocoder:
    return LTX2Vocoder(in_channels=2 * TONES, hidden_channels=32).eval()


SMALL = {**CLIP, "frames": 9, "guidance": 3.0}

CASES = [
    Case(
        "ltx2",
        "ltx2",
        save_ltx2,
        {"text-to-video": SMALL, "image-to-video": {**SMALL, "image": Given("image")}},
        tolerance=1 / 255,
    )
]
