"""The parts of the motion model: what it takes over from the scenes model, and what is new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from diffusers import AnimateDiffPipeline, MotionAdapter, UNet2DConditionModel
from diffusers.models.embeddings import SinusoidalPositionalEmbedding
from torch import Tensor, nn

from pipelines.families._motion_unet import Clock, MotionUNet
from pipelines.training.motion.world import FRAMES


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
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet")
    if (folder / "motion_adapter").is_dir():
        moving = MotionAdapter.from_pretrained(folder, subfolder="motion_adapter")
        return MotionUNet.of(unet, moving, Clock.from_pretrained(folder, subfolder="clock"))
    return MotionUNet.of(unet, adapter(unet), Clock())


@contextmanager
def showing(model: MotionUNet, shown: Tensor) -> Iterator[None]:
    """Within it samples hold only some frames of a clip, each at its own moment: the same of every clip,
    (F,), or one of each, (B, 1), which the layers for motion leave alone."""
    model.shown = shown
    try:
        with _swapped(_at_moments(model, shown) if shown.ndim == 1 else _still(model)):
            yield
    finally:
        model.shown = None


@contextmanager
def alone(model: MotionUNet) -> Iterator[None]:
    """Within it each frame of a clip is made by itself: the layers for motion are left out."""
    with _swapped(_still(model)):
        yield


Swap = tuple[nn.Module, str, Any, Any]  # whose, which, the new, the old


@contextmanager
def _swapped(swaps: list[Swap]) -> Iterator[None]:
    try:
        for owner, name, new, _ in swaps:
            setattr(owner, name, new)
        yield
    finally:
        for owner, name, _, old in swaps:
            setattr(owner, name, old)


def _at_moments(model: MotionUNet, shown: Tensor) -> list[Swap]:
    layers = [layer for layer in model.modules() if isinstance(layer, SinusoidalPositionalEmbedding)]
    return [(layer, "pe", layer.pe[:, shown], layer.pe) for layer in layers]


def _still(model: MotionUNet) -> list[Swap]:
    blocks = [*model.down_blocks, model.mid_block, *model.up_blocks]
    layers = [(block, block.motion_modules) for block in blocks]
    return [(block, "motion_modules", nn.ModuleList(Still() for _ in old), old) for block, old in layers]


class Still(nn.Module):
    """Stands for a layer for motion where there is but one frame."""

    def forward(self, hidden: Tensor, *_: Any, **__: Any) -> Tensor:
        return hidden


def apart(weights: Mapping[str, Tensor], folder: Path) -> tuple[UNet2DConditionModel, MotionAdapter, Clock]:
    """Weights of a MotionUNet as the models that are saved; `folder` as for `begun`."""
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet")
    moving, clock = adapter(unet), Clock()
    parts: dict[str, dict[str, Tensor]] = {"unet": {}, "motion": {}, "clock": {}}
    for name, value in weights.items():
        part = "clock" if name.startswith("clock.") else "motion" if "motion_modules" in name else "unet"
        parts[part][name.removeprefix("clock.")] = value
    unet.load_state_dict(parts["unet"])
    moving.load_state_dict(parts["motion"])
    clock.load_state_dict(parts["clock"])
    return unet, moving, clock


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
