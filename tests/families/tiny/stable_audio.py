"""A Stable Audio of random weights: stereo, 8,000 samples and 50 latents a second."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderOobleck,
    CosineDPMSolverMultistepScheduler,
    StableAudioDiTModel,
    StableAudioPipeline,
    StableAudioProjectionModel,
)
from transformers import T5Config, T5EncoderModel

from tests.families.cases import Case
from tests.families.tiny.tokenizers import t5_tokenizer

SECONDS = 3


def oobleck(latents: int) -> AutoencoderOobleck:
    """A codec of random weights."""
    return AutoencoderOobleck(
        encoder_hidden_size=2 * latents,
        downsampling_ratios=[4, 4, 10],
        decoder_channels=8,
        decoder_input_channels=latents,
        audio_channels=2,
        channel_multiples=[1, 2, 2],
        sampling_rate=8_000,
    )


def save_stable_audio(folder: Path) -> Path:
    """A StableAudioPipeline of random weights that makes up to three seconds."""
    torch.manual_seed(0)
    tokenizer = t5_tokenizer()
    tokenizer.model_max_length = 64
    text = T5EncoderModel(
        T5Config(vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4)
    ).eval()
    transformer = StableAudioDiTModel(
        sample_size=50 * SECONDS,
        in_channels=8,
        out_channels=8,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        num_key_value_attention_heads=2,
        cross_attention_dim=24,
        cross_attention_input_dim=24,
        global_states_input_dim=48,
        time_proj_dim=16,
    )
    pipe = StableAudioPipeline(
        vae=oobleck(8),
        text_encoder=text,
        projection_model=StableAudioProjectionModel(
            text_encoder_dim=32, conditioning_dim=24, min_value=0, max_value=SECONDS
        ),
        tokenizer=tokenizer,
        transformer=transformer,
        scheduler=CosineDPMSolverMultistepScheduler(solver_order=2, sigma_max=100),
    )
    pipe.save_pretrained(folder)
    return folder


CASES = [
    Case(
        name="stable-audio",
        family="stable_audio",
        save=save_stable_audio,
        inputs={
            "text-to-music": {"prompt": "rain on a roof", "duration_seconds": 1.5, "steps": 4},
        },
    )
]
