"""LoRAs of random weights, saved as trainers save them."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

from pipelines.loras import Lora

LAYERS = ["to_q", "to_k", "to_v", "to_out.0"]


def save_lora(pipe: Any, folder: Path, name: str, seed: int = 0) -> Lora:
    """A LoRA for `pipe`, which is of no use afterwards."""
    torch.manual_seed(seed)
    part = "unet" if hasattr(pipe, "unet") else "transformer"
    model = getattr(pipe, part)
    model.add_adapter(LoraConfig(r=2, target_modules=LAYERS, init_lora_weights=False), adapter_name=name)
    layers = get_peft_model_state_dict(model, adapter_name=name)
    file = f"{name}.safetensors"
    type(pipe).save_lora_weights(folder, **{f"{part}_lora_layers": layers}, weight_name=file)
    return Lora(name=name, models=["tiny/any"], weights=folder / file)
