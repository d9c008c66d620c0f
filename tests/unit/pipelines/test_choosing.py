"""Which files of a repository are fetched, for listings as real ones are."""

from typing import Any

import pytest

from pipelines.choosing import choose, description_of
from pipelines.errors import FolderRefused
from pipelines.layouts import ARCHITECTURES, PIPELINES

STABLE_DIFFUSION: dict[str, Any] = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.6.0",
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}

WAN: dict[str, Any] = {
    "_class_name": "WanPipeline",
    "boundary_ratio": 0.875,
    "expand_timesteps": False,
    "image_encoder": [None, None],
    "scheduler": ["diffusers", "UniPCMultistepScheduler"],
    "text_encoder": ["transformers", "UMT5EncoderModel"],
    "tokenizer": ["transformers", "T5TokenizerFast"],
    "transformer": ["diffusers", "WanTransformer3DModel"],
    "transformer_2": ["diffusers", "WanTransformer3DModel"],
    "vae": ["diffusers", "AutoencoderKLWan"],
}


def part(folder: str, *names: str) -> list[str]:
    return [f"{folder}/{name}" for name in names]


def shards(name: str, count: int) -> list[str]:
    return [
        f"{name}.safetensors.index.json",
        *(f"{name}-{number:05}-of-{count:05}.safetensors" for number in range(1, count + 1)),
    ]


def test_of_a_repository_with_every_format_the_one_that_is_read() -> None:
    needed = [
        "model_index.json",
        "LICENSE",
        *part("scheduler", "scheduler_config.json"),
        *part("text_encoder", "config.json", "model.safetensors"),
        *part("tokenizer", "merges.txt", "special_tokens_map.json", "tokenizer_config.json", "vocab.json"),
        *part("unet", "config.json", "diffusion_pytorch_model.safetensors"),
        *part("vae", "config.json", "diffusion_pytorch_model.safetensors"),
    ]
    other = [
        *(".gitattributes", "README.md", "v1-5-pruned.ckpt", "v1-5-pruned.safetensors", "v1-inference.yaml"),
        *part("text_encoder", "model.fp16.safetensors", "pytorch_model.bin", "pytorch_model.fp16.bin"),
        *part("unet", "diffusion_pytorch_model.bin", "diffusion_pytorch_model.non_ema.safetensors"),
        *part("safety_checker", "config.json", "model.safetensors", "pytorch_model.bin"),
        *part("feature_extractor", "preprocessor_config.json"),
        *part("vae/old", "diffusion_pytorch_model.safetensors"),
    ]

    chosen = choose(needed + other, STABLE_DIFFUSION, PIPELINES["StableDiffusionPipeline"])

    assert chosen == sorted(needed)


def test_of_a_repository_in_shards_all_shards() -> None:
    needed = [
        "model_index.json",
        *part("scheduler", "scheduler_config.json"),
        *part("text_encoder", "config.json", *shards("model", 5)),
        *part(
            "tokenizer", "special_tokens_map.json", "spiece.model", "tokenizer.json", "tokenizer_config.json"
        ),
        *part("transformer", "config.json", *shards("diffusion_pytorch_model", 12)),
        *part("transformer_2", "config.json", *shards("diffusion_pytorch_model", 12)),
        *part("vae", "config.json", "diffusion_pytorch_model.safetensors"),
    ]
    other = ["assets/logo.png", "examples/i2v_input.JPG", "LICENSE.md"]

    assert choose(needed + other, WAN, PIPELINES["WanPipeline"]) == sorted(needed)


def test_of_a_language_model_its_folder_alone() -> None:
    needed = [
        *("LICENSE", "chat_template.jinja", "config.json", "generation_config.json", "merges.txt"),
        *(*shards("model", 3), "tokenizer.json", "tokenizer_config.json", "vocab.json"),
    ]
    other = [
        *("README.md", "consolidated.safetensors", "pytorch_model.bin.index.json", "modeling_own.py"),
        *part("onnx", "config.json", "model.onnx"),
        *part("original", "params.json", "consolidated.00.pth"),
    ]

    assert choose(needed + other, None, ARCHITECTURES["ForCausalLM"]) == sorted(needed)


def test_the_description_says_which_layout_it_is() -> None:
    assert description_of(["config.json", "model_index.json"]) == "model_index.json"
    assert description_of(["config.json", "model.safetensors"]) == "config.json"
    for name in ("../config.json", "/config.json", "a/../../config.json", "a\\config.json"):
        with pytest.raises(FolderRefused, match="leads out"):
            description_of(["config.json", name])
