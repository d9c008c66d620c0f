"""The parts of the motion model: what it takes over from the scenes model, and what is new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import AnimateDiffPipeline, MotionAdapter, UNet2DConditionModel
from diffusers.models.embeddings import SinusoidalPositionalEmbedding
from torch import Tensor, nn

from pipelines.families._motion_unet import MotionUNet
from pipelines.training.motion.world import FRAMES

WAVES = 8  # cosines of a frame's moment that the words are multiplied with
CLOCK = "time_embedding.cond_proj.weight"  # what hears them


def pictures(folder: Path) -> UNet2DConditionModel:
    """The scenes model's denoiser, with ears for the moment of a frame that do not hear anything yet."""
    known = UNet2DConditionModel.from_pretrained(folder, subfolder="unet")
    if known.config.time_cond_proj_dim:
        return known
    width = WAVES * known.config.cross_attention_dim
    made = UNet2DConditionModel.from_config({**known.config, "time_cond_proj_dim": width})
    deaf = torch.zeros_like(made.state_dict()[CLOCK])
    made.load_state_dict({**known.state_dict(), CLOCK: deaf})
    return made


def adapter(unet: UNet2DConditionModel) -> MotionAdapter:
    """Untrained layers for motion that change nothing yet; none at the finest level, where they cost most."""
    widths = unet.config.block_out_channels
    made = MotionAdapter(
        block_out_channels=widths,
        motion_layers_per_block=unet.config.layers_per_block,
        motion_transformer_layers_per_block=(0,) + (1,) * (len(widths) - 1),
        motion_num_attention_heads=4,
        motion_norm_num_groups=unet.config.norm_num_groups,
        motion_max_seq_length=FRAMES,
    )
    for name, weight in made.named_parameters():
        if "proj_out" in name:
            nn.init.zeros_(weight)
    return made


def begun(folder: Path) -> MotionUNet:
    """A denoiser of clips to train: from a scenes model, or from a motion model if the folder holds one."""
    unet = pictures(folder)
    if (folder / "motion_adapter").exists():
        return MotionUNet.of(unet, MotionAdapter.from_pretrained(folder, subfolder="motion_adapter"))
    return MotionUNet.of(unet, adapter(unet))


@contextmanager
def showing(model: MotionUNet, shown: Tensor) -> Iterator[None]:
    """Within it samples hold only some frames of a clip, each at its own moment: the same of every clip,
    (F,), or one of each, (B, 1), which the layers for motion leave alone."""
    model.shown = shown
    swaps = _at_moments(model, shown) if shown.ndim == 1 else _still(model)
    try:
        for owner, name, new, _ in swaps:
            setattr(owner, name, new)
        yield
    finally:
        model.shown = None
        for owner, name, _, old in swaps:
            setattr(owner, name, old)


def _at_moments(model: MotionUNet, shown: Tensor) -> list[tuple[nn.Module, str, Any, Any]]:
    layers = [layer for layer in model.modules() if isinstance(layer, SinusoidalPositionalEmbedding)]
    return [(layer, "pe", layer.pe[:, shown], layer.pe) for layer in layers]


def _still(model: MotionUNet) -> list[tuple[nn.Module, str, Any, Any]]:
    blocks = [*model.down_blocks, model.mid_block, *model.up_blocks]
    layers = [(block, block.motion_modules) for block in blocks]
    return [(block, "motion_modules", nn.ModuleList(Still() for _ in old), old) for block, old in layers]


class Still(nn.Module):
    """Stands for a layer for motion where there is but one frame."""

    def forward(self, hidden: Tensor, *_: Any, **__: Any) -> Tensor:
        return hidden


def apart(weights: Mapping[str, Tensor], folder: Path) -> tuple[UNet2DConditionModel, MotionAdapter]:
    """Weights of a MotionUNet as the two models that are saved; `folder` as for `begun`."""
    unet = pictures(folder)
    moving = adapter(unet)
    unet.load_state_dict({name: value for name, value in weights.items() if "motion_modules" not in name})
    moving.load_state_dict({name: value for name, value in weights.items() if "motion_modules" in name})
    return unet, moving


def assembled(unet: MotionUNet, vae, text_encoder, tokenizer, scheduler) -> AnimateDiffPipeline:
    """A pipeline that makes clips."""
    made = AnimateDiffPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet.eval(),
        motion_adapter=None,
        scheduler=scheduler,
    )
    made.set_progress_bar_config(disable=True)
    return made
