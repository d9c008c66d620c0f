"""LoRAs: small changes to a model's weights, for one run each. Needs peft."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.families import _torch as torch_support


@contextmanager
def applied(pipe: Any, files: Mapping[str, Path], wanted: Sequence[Any]) -> Iterator[None]:
    """`pipe` with the LoRAs that a request names, at their scales; afterwards it is bit for bit as before."""
    if not wanted:
        yield
        return
    names = [f"lora{place}" for place in range(len(wanted))]
    try:
        for name, lora in zip(names, wanted, strict=True):
            file = files[lora.name]
            with torch_support.load_errors_translated(file):
                pipe.load_lora_weights(
                    str(file.parent), weight_name=file.name, adapter_name=name, local_files_only=True
                )
        pipe.set_adapters(names, [lora.scale for lora in wanted])
        yield
    finally:
        pipe.unload_lora_weights()
