"""LoRAs: small changes to a model's weights, for one run each. Needs peft."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pipelines.errors import EngineError, PipelineError
from pipelines.families import _torch as torch_support
from pipelines.loras import Lora


@contextmanager
def applied(pipe: Any, known: Mapping[str, Lora], wanted: Sequence[Any]) -> Iterator[None]:
    """`pipe` with the LoRAs that a request names, at their scales; afterwards it is bit for bit as before."""
    if not wanted:
        yield
        return
    names = [f"lora{place}" for place in range(len(wanted))]
    try:
        for name, asked in zip(names, wanted, strict=True):
            _put_on(pipe, known[asked.name], name)
        pipe.set_adapters(names, [lora.scale for lora in wanted])
        yield
    finally:
        pipe.unload_lora_weights()


def _put_on(pipe: Any, lora: Lora, name: str) -> None:
    """Load a LoRA beside the weights; raises EngineError, since the model itself is as it should be."""
    lora.check()
    file = lora.weights
    try:
        with torch_support.memory_errors_translated(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")  # several are meant to be
            pipe.load_lora_weights(
                str(file.parent), weight_name=file.name, adapter_name=name, local_files_only=True
            )
    except PipelineError:
        raise
    except Exception as error:
        raise EngineError(f"the LoRA {lora.name} does not fit: {type(error).__name__}: {error}") from error
    if not any(name in adapters for adapters in pipe.get_list_adapters().values()):
        raise EngineError(f"the LoRA {lora.name} does not fit: it changes nothing that this model has")
