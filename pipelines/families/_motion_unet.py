"""A UNetMotionModel that hears what a UNet2DConditionModel can hear, and when.

`UNetMotionModel` of diffusers drops two things that a UNet for pictures may have: times that scale and shift
(`resnet_time_scale_shift`), and the words pooled into the time (`addition_embed_type="text"`). They are kept
here. With a `Clock`, each frame hears the words at its own moment. So a text that means "from left to right"
can move the thing frame by frame, and the layers for motion need only keep the frames alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import pi
from typing import Any

import torch
from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.embeddings import TextTimeEmbedding
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.unets.unet_motion_model import UNetMotionOutput
from torch import Tensor, nn

FRAMES = 16
"""Of a whole clip; the cosines of time are counted on it."""


class Clock(ModelMixin, ConfigMixin):
    """Turns the words' states into what they mean at each frame's moment: a small transformer over the words
    and the slowest cosines of the frame's place in the clip says what to add to each."""

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, width: int = 128, waves: int = 8, heads: int = 4, depth: int = 2) -> None:
        super().__init__()
        self.moment = nn.Linear(waves, width)
        layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.turn = nn.Linear(width, width)
        nn.init.zeros_(self.turn.weight)
        nn.init.zeros_(self.turn.bias)

    def forward(self, words: Tensor, shown: Tensor) -> Tensor:
        """(rows, tokens, width) at the frames (rows,)."""
        moment = self.moment(cosines(shown, self.config.waves).to(words))
        return words + self.turn(self.layers(words + moment[:, None]))


class MotionUNet(UNetMotionModel):
    clock: Clock | None
    given: Tensor | None = None
    """The first frame's latents (rows, channels, 1, height, width), where they are known; see `beginning`."""
    shown: Tensor | None = None
    """Which frames of a whole clip a sample holds, (frames,) or (rows, frames); None: the first."""

    @classmethod
    def of(
        cls, pictures: UNet2DConditionModel, adapter: MotionAdapter, clock: Clock | None = None
    ) -> MotionUNet:
        """All in one, with their weights."""
        model: MotionUNet = cls.from_unet2d(pictures, adapter, load_weights=False)
        if pictures.config.resnet_time_scale_shift == "scale_shift":
            _scale_and_shift(model)
        if pictures.config.addition_embed_type == "text":
            width = pictures.time_embedding.linear_2.out_features
            heads = pictures.config.addition_embed_type_num_heads
            model.add_embedding = TextTimeEmbedding(pictures.config.cross_attention_dim, width, heads)
        model.load_state_dict({**pictures.state_dict(), **adapter.state_dict()})
        model.clock = clock
        nn.Module.to(model, pictures.dtype)  # the library's own warns of what is not there
        return model

    @contextmanager
    def beginning(self, latents: Tensor) -> Iterator[None]:
        """Within it the first frame is these latents, (rows, channels, 1, height, width), without noise; they
        are repeated where a call has more rows, as guidance does."""
        self.given = latents
        try:
            yield
        finally:
            self.given = None

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float,
        encoder_hidden_states: Tensor,
        *,
        cross_attention_kwargs: dict[str, Any] | None = None,
        added_cond_kwargs: dict[str, Tensor] | None = None,
        return_dict: bool = True,
    ) -> UNetMotionOutput | tuple[Tensor]:
        """Sample (rows, channels, frames, height, width); timesteps: one, a row, or (rows, frames); the
        words' states (rows x frames, tokens, width), as AnimateDiff's pipelines repeat them."""
        rows, _, frames = sample.shape[:3]
        times = torch.as_tensor(timestep, device=sample.device)
        times = (times if times.ndim == 2 else times.reshape(-1, 1)).expand(rows, frames)
        if self.given is not None:
            first = self.given.to(sample).repeat(rows // len(self.given), 1, 1, 1, 1)
            sample = torch.cat([first, sample[:, :, 1:]], 2)
            times = torch.cat([torch.zeros_like(times[:, :1]), times[:, 1:]], 1)
        words = encoder_hidden_states
        if self.clock is not None:
            shown = torch.arange(frames, device=sample.device) if self.shown is None else self.shown
            words = self.clock(words, shown.expand(rows, frames).flatten())
        with_words = {
            "encoder_hidden_states": words,
            "cross_attention_kwargs": cross_attention_kwargs,
        }
        told = {"temb": self._told(times, words), "num_frames": frames}
        hidden = self.conv_in(sample.transpose(1, 2).flatten(0, 1))
        kept: tuple[Tensor, ...] = (hidden,)
        for block in self.down_blocks:
            hidden, left = block(hidden, **told, **(with_words if _hears(block) else {}))
            kept += left
        hidden = self.mid_block(hidden, **told, **with_words)
        for block in self.up_blocks:
            kept, used = kept[: -len(block.resnets)], kept[-len(block.resnets) :]
            hears = with_words if _hears(block) else {}
            hidden = block(hidden, res_hidden_states_tuple=used, **told, **hears)
        hidden = self.conv_out(self.conv_act(self.conv_norm_out(hidden)))
        made = hidden.unflatten(0, (rows, frames)).transpose(1, 2)
        return UNetMotionOutput(sample=made) if return_dict else (made,)

    def _told(self, times: Tensor, words: Tensor) -> Tensor:
        """(rows x frames, width): the noise's time and the words."""
        told = self.time_embedding(self.time_proj(times.flatten()).to(words.dtype))
        if hasattr(self, "add_embedding"):
            told = told + self.add_embedding(words)
        return told


def cosines(shown: Tensor, count: int) -> Tensor:
    """(frames, count): the slowest cosines over a whole clip (DCT-II), the first of which is 1, at the frames
    with these numbers."""
    moments = (shown + 0.5) / FRAMES
    return torch.cos(pi * moments[:, None] * torch.arange(count, device=shown.device))


def _hears(block: nn.Module) -> bool:
    return getattr(block, "has_cross_attention", False)


def _scale_and_shift(model: nn.Module) -> None:
    for block in model.modules():
        if isinstance(block, ResnetBlock2D):
            block.time_embedding_norm = "scale_shift"
            block.time_emb_proj = nn.Linear(block.time_emb_proj.in_features, 2 * block.out_channels)
