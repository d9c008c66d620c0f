"""A LoRA: a small change to a model's weights that requests may ask for by name. Operators install them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipelines.errors import EngineError, FolderRefused
from pipelines.weights import digest_file, tensor_bytes

LORA_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"


def as_path(value: Any) -> Any:
    """A path as a catalog file or a message writes it; an empty one would mean the working folder."""
    if isinstance(value, str) and not value.strip():
        raise ValueError("must name a place")
    return Path(value) if isinstance(value, str) else value


class Lora(BaseModel):
    """One `[[lora]]` table of a catalog. Field names are its keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    name: str = Field(pattern=LORA_NAME, description="What requests call it: `ink`.")
    title: str = Field("", max_length=200, description="One line for people; the name when empty.")
    models: list[str] = Field(min_length=1, description="The models that it is for.")
    weights: Path = Field(description="Its `.safetensors` file; relative to the catalog file that says so.")
    sha256: str = Field(
        "",
        pattern=r"^([0-9a-f]{64})?$",
        description="Digest of the file, checked before loading; empty: not checked.",
    )
    licence: str = Field("unknown", max_length=100, description="Its licence, as an SPDX id where one is.")

    _weights_as_path = field_validator("weights", mode="before")(as_path)

    @field_validator("weights")
    @classmethod
    def _is_safetensors(cls, value: Path) -> Path:
        if value.suffix != ".safetensors":
            raise ValueError("must be a .safetensors file: others may run code when they are read")
        return value

    def check(self) -> None:
        """Raise EngineError unless its file is here, whole, and the one stated: only requests that name it
        fail.
        """
        if not self.weights.is_file():
            raise EngineError(f"the file of the LoRA {self.name} is missing")
        try:
            tensor_bytes(self.weights)
        except FolderRefused as error:
            raise EngineError(f"the LoRA {self.name} is refused: {error}") from error
        if self.sha256 and digest_file(self.weights) != self.sha256:
            raise EngineError(f"the file of the LoRA {self.name} is not the one stated by sha256")


def unknown_loras(asked: Sequence[Any], known: Sequence[str]) -> list[tuple[int, str]]:
    """Place and complaint of each LoRA that is asked for and not known, or asked for twice."""
    wrong = []
    names = [lora.name for lora in asked]
    for place, name in enumerate(names):
        if name not in known:
            wrong.append((place, f"this model has no LoRA {name!r}; it has {', '.join(known) or 'none'}"))
        elif name in names[:place]:
            wrong.append((place, f"{name!r} is asked for twice"))
    return wrong
