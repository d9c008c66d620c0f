"""Previews: what an unfinished sample looks like, at next to no cost.

Latents become colours by a matrix, found by least squares when the model is loaded: a few random latents are
decoded once, and the matrix is what comes closest to that. A decoder that is cheap enough is used itself.
"""

import time
from collections.abc import Callable

import torch
from PIL import Image
from torch.nn import functional

from pipelines.families import _torch as torch_support
from pipelines.media import preview

SHARE = 0.01
"""Most of a run's time that its previews may take."""

SECONDS = 0.5
"""Least time between two previews: people see no more."""

SIDE, PATCH = 16, 4
"""Height and width of the random latents, and of the patches that they consist of: pictures have even parts,
noise has none."""

SPREAD = 0.5
"""Deviation of the patches. That of a picture's latents is about 1, but few are as wild as noise of 1 is."""

Decode = Callable[[torch.Tensor], torch.Tensor]
"""Latents (rows, channels, height, width) to colours of −1 to 1 (rows, 3, height × f, width × f)."""


class Projection:
    """Latents as colours by a matrix: one pixel each."""

    def __init__(self, decode: Decode, channels: int, device: torch.device) -> None:
        latents = _random_latents(channels).to(device)
        colours = functional.adaptive_avg_pool2d(decode(latents).float(), SIDE)
        self._matrix = torch.linalg.lstsq(_columns(latents).cpu(), _pixels(colours).cpu()).solution.to(device)

    def __call__(self, latents: torch.Tensor) -> torch.Tensor:
        rows, _, height, width = latents.shape
        return (_columns(latents) @ self._matrix).reshape(rows, height, width, 3).movedim(-1, 1)


class Previewer:
    """Makes previews of one model's latents."""

    def __init__(self, decode: Decode, channels: int, device: torch.device, exact: bool) -> None:
        self._device = device
        self._colours: Decode = decode if exact else Projection(decode, channels, device)
        self.make(torch.zeros(1, channels, SIDE, SIDE, device=device))  # the first is slower than all others
        began = time.monotonic()
        self.make(torch.zeros(1, channels, SIDE, SIDE, device=device))
        self.cost = time.monotonic() - began
        """About how long one takes, in seconds."""

    def make(self, latents: torch.Tensor) -> list[bytes | None]:
        """A preview of each row of latents (rows, channels, height, width)."""
        with torch.inference_mode():
            colours = self._colours(latents)
            pixels = ((colours.float() / 2 + 0.5).nan_to_num().clamp(0, 1) * 255).round().to(torch.uint8)
        return [preview(Image.fromarray(one)) for one in pixels.movedim(1, -1).cpu().numpy()]


class Budget:
    """Lets a run make previews as long as all of them take at most `SHARE` of its time."""

    def __init__(self, previewer: Previewer | None) -> None:
        self._previewer = previewer
        self._began = self._last = time.monotonic()
        self.spent = 0.0

    def make(self, latents: Callable[[], torch.Tensor]) -> list[bytes | None] | None:
        """Previews of the latents, if it is time for some."""
        if self._previewer is None or not self._is_due(self._previewer.cost):
            return None
        torch_support.wait_for_device()  # or the time of the step that is still being computed would count
        began = time.monotonic()
        made = self._previewer.make(latents())
        self._last = time.monotonic()
        self._previewer.cost = self._last - began
        self.spent += self._previewer.cost
        return made

    def _is_due(self, cost: float) -> bool:
        now = time.monotonic()
        return now - self._last >= SECONDS and self.spent + cost <= SHARE * (now - self._began)


def _random_latents(channels: int) -> torch.Tensor:
    """More patches than there are channels, or the matrix would be a guess."""
    pictures, patches = max(2, channels // 8), SIDE // PATCH
    noise = torch.randn(pictures, channels, patches, patches, generator=torch_support.seeded(0))
    return SPREAD * noise.repeat_interleave(PATCH, dim=2).repeat_interleave(PATCH, dim=3)


def _pixels(picture: torch.Tensor) -> torch.Tensor:
    """(rows, channels, height, width) as (pixels, channels)."""
    return picture.float().movedim(1, -1).flatten(0, -2)


def _columns(latents: torch.Tensor) -> torch.Tensor:
    """The latents of each pixel, and a one for what is added."""
    flat = _pixels(latents)
    return torch.cat([flat, flat.new_ones(len(flat), 1)], dim=1)
