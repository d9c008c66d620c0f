"""An ACE-Step 1.5 of random weights: stereo, 8,000 samples and 50 latents a second."""

from pathlib import Path

import torch
from diffusers import (
    AceStepConditionEncoder,
    AceStepPipeline,
    AceStepTransformer1DModel,
    FlowMatchEulerDiscreteScheduler,
)
from transformers import Qwen3Config, Qwen3Model

from tests.families.cases import Case, Given
from tests.families.tiny.stable_audio import oobleck
from tests.families.tiny.tokenizers import qwen_tokenizer

LATENTS = 8
SHAPE = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "sliding_window": 16,
}


def save_ace_step(folder: Path, *, turbo: bool = False) -> Path:
    """An AceStepPipeline of random weights."""
    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    text = Qwen3Model(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=24,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
        )
    ).eval()
    conditions = AceStepConditionEncoder(
        **SHAPE,
        text_hidden_dim=24,
        timbre_hidden_dim=LATENTS,
        num_lyric_encoder_hidden_layers=2,
        num_timbre_encoder_hidden_layers=2,
    )
    conditions.silence_latent.normal_()
    pipe = AceStepPipeline(
        vae=oobleck(LATENTS),
        text_encoder=text,
        tokenizer=tokenizer,
        transformer=AceStepTransformer1DModel(
            **SHAPE,
            num_hidden_layers=2,
            in_channels=3 * LATENTS,
            audio_acoustic_hidden_dim=LATENTS,
            is_turbo=turbo,
        ),
        condition_encoder=conditions,
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0),
    )
    pipe.save_pretrained(folder)
    return folder


MUSIC = {"prompt": "a slow waltz", "lyrics": "la la", "tempo": 90, "duration_seconds": 1, "steps": 4}
CASES = [
    Case(
        name="ace-step",
        family="ace_step",
        save=save_ace_step,
        even=True,
        inputs={"text-to-music": MUSIC, "continue-music": {**MUSIC, "audio": Given("sound")}},
    )
]
