"""What the families that run on torch share: number formats, errors in our words."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers.utils import logging as transformers_logging

from pipelines.errors import ModelUnavailable, OutOfMemory, PipelineError

transformers_logging.disable_progress_bar()

CPU_OUT_OF_MEMORY = "DefaultCPUAllocator"
"""How the RuntimeError of a failed allocation on the CPU is told from others."""


def dtype_of(name: str, device: str) -> torch.dtype:
    """The number format called `name`; `auto` is the fastest that is safe on `device`."""
    if name != "auto":
        return {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[name]
    if not device.startswith("cuda"):
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def seeded(seed: int) -> torch.Generator:
    """A generator of its own for one row, on the CPU: the same noise on every device."""
    return torch.Generator("cpu").manual_seed(seed)


@contextmanager
def memory_errors_translated() -> Iterator[None]:
    """Raise OutOfMemory where torch says so in its own ways."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(str(error)) from error
    except RuntimeError as error:
        if CPU_OUT_OF_MEMORY in str(error):
            raise OutOfMemory(str(error)) from error
        raise


@contextmanager
def load_errors_translated(weights: Path) -> Iterator[None]:
    """Raise ModelUnavailable for whatever the libraries say of weights that do not load."""
    try:
        with memory_errors_translated():
            yield
    except PipelineError:
        raise
    except Exception as error:
        raise ModelUnavailable(
            f"the weights at {weights} do not load: {type(error).__name__}: {error}"
        ) from error


def wait_for_device() -> None:
    """Wait until a GPU has done what it was given so far."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def free_memory() -> None:
    """Give back what a failed batch held."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
