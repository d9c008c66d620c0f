"""Options by which a row has its diffusers pipeline computed faster. All are off as long as a row does not
say them, since each changes the rounding, and so the samples of a seed.
"""

import os
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from pipelines.errors import ModelUnavailable

KERNELS = {
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
}
"""Torch's own kernels of attention, by what the option `attention` calls them; nothing is fetched."""

DENOISERS = ("unet", "transformer", "transformer_2")
"""The parts of a pipeline that run at every step."""

SWITCHES = ("channels_last", "compile_blocks")


def check(options: Mapping[str, Any]) -> None:
    """Raise ModelUnavailable for values that these options do not take; costs nothing, so it comes before
    the weights are loaded."""
    for name in SWITCHES:
        if not isinstance(given := options.get(name, False), bool):
            raise ModelUnavailable(f"option {name} is true or false, not {given!r}")
    kernel = options.get("attention", "")
    if kernel and not (isinstance(kernel, str) and kernel in KERNELS):
        raise ModelUnavailable(f"option attention is one of {', '.join(KERNELS)}, not {kernel!r}")
    if options.get("compile_blocks") and not _compiler():
        raise ModelUnavailable(
            "option compile_blocks needs a C compiler on the worker's machine: cc, gcc or CC"
        )


def _compiler() -> str | None:
    return next(filter(None, map(shutil.which, (os.environ.get("CC", ""), "cc", "gcc", "clang"))), None)


def use_channels_last(pipe: Any) -> None:
    """Lay the weights of two-dimensional convolutions out as (height, width, channels), as tensor cores
    want them; what runs through them follows."""
    for name in (*DENOISERS, "vae"):
        part = getattr(pipe, name, None)
        for module in part.modules() if part is not None else ():
            if isinstance(module, torch.nn.Conv2d):
                module.to(memory_format=torch.channels_last)


def compile_blocks(pipe: Any) -> None:
    """Have the blocks that each denoiser repeats compiled when they first run: one compilation serves all
    blocks alike, for each new shape of their inputs (diffusers' `compile_repeated_blocks`)."""
    for part in filter(None, (getattr(pipe, name, None) for name in DENOISERS)):
        try:
            part.compile_repeated_blocks()
        except ValueError as error:
            raise ModelUnavailable(f"option compile_blocks: {error}") from error


def attention(kernel: str) -> AbstractContextManager[None]:
    """While it lasts, attention takes this kernel wherever it can, and another one where it cannot: for a
    mask, or for heads that are too wide. `math`, which can always be taken, is always taken. Empty: torch
    chooses."""
    if not kernel:
        return nullcontext()
    first = KERNELS[kernel]
    others = [each for each in KERNELS.values() if each != first] if kernel != "math" else []
    context: AbstractContextManager[None] = sdpa_kernel([first, *others], set_priority=True)
    return context
