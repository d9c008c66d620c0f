"""What loaded models hold of the device's memory, and what runs of them take."""

import gc
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from infra.memory import amount, machine_memory

GPU_SHARE, CPU_SHARE = "90%", "50%"
"""What `auto` means. Runs on a CPU are not measured: the other half is theirs and everybody else's."""

LEAVES = (
    *(str, bytes, int, float, complex, type(None), type),
    *(ModuleType, FunctionType, MethodType, BuiltinFunctionType),
)
"""What leads to no tensor, or out of the pipeline."""

Storages = dict[int, int]
"""Bytes by address: tensors that share their memory count once."""


class DeviceMemory:
    """The memory of the engine's device."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._kind = device.partition(":")[0]

    def budget(self, setting: str) -> int:
        """The bytes that `ATELIER_MODEL_MEMORY` means here."""
        if self._kind == "cpu":
            return amount(CPU_SHARE if setting == "auto" else setting, machine_memory())
        import torch

        whole = torch.cuda.mem_get_info(self._device)[1]
        return amount(GPU_SHARE if setting == "auto" else setting, whole)

    def held_by(self, pipeline: Any) -> Storages:
        """What a pipeline's tensors hold of this device's memory."""
        found = {}
        for tensor in _tensors(pipeline):
            if _kind_of(tensor) in (self._kind, ""):
                try:
                    storage = tensor.untyped_storage()
                    found[storage.data_ptr()] = storage.nbytes()
                except (RuntimeError, NotImplementedError):  # a wrapper; what it wraps is looked at by itself
                    continue
        return {address: size for address, size in found.items() if address}

    @contextmanager
    def peak(self) -> Iterator[list[int]]:
        """Of the block: the most bytes that were allocated beyond what was before, as the list's only item.
        The list stays empty on a CPU, where torch does not count, and where the block raises.
        """
        told: list[int] = []
        torch = sys.modules.get("torch")
        if self._kind == "cpu" or torch is None:
            yield told
            return
        torch.cuda.reset_peak_memory_stats(self._device)
        before = torch.cuda.memory_allocated(self._device)
        yield told
        told.append(torch.cuda.max_memory_allocated(self._device) - before)

    @property
    def counts_runs(self) -> bool:
        """Whether `peak` finds something out."""
        return self._kind != "cpu"

    def free(self) -> None:
        """Give back to the device what no pipeline holds any more. Loads no torch where none is loaded."""
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()


def _kind_of(tensor: Any) -> str:
    return str(getattr(tensor, "device", "")).partition(":")[0]


def _tensors(pipeline: Any) -> Iterator[Any]:
    """Everything with a storage that can be reached from a pipeline, through attributes and containers."""
    seen: dict[int, Any] = {}  # the objects too, lest one goes and another gets its id
    left = [pipeline]
    while left:
        thing = left.pop()
        if isinstance(thing, LEAVES) or id(thing) in seen:
            continue
        seen[id(thing)] = thing
        if hasattr(type(thing), "untyped_storage"):
            yield thing
        left.extend(_parts(thing))


def _parts(thing: Any) -> Iterable[Any]:
    if isinstance(thing, Mapping):
        return list(thing.values())
    if isinstance(thing, list | tuple | set | frozenset):
        return thing
    return list(getattr(thing, "__dict__", {}).values())
