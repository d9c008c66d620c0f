"""Limits that a model sets on the fields of its kinds: narrower than the kind's own ranges."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Limit(BaseModel):
    """What one field may be. Numbers take `min`, `max`, `multiple_of`, `only`; texts `max_length`, `only`."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    min: float | None = Field(None, description="Smallest value.")
    max: float | None = Field(None, description="Largest value.")
    multiple_of: int | None = Field(None, ge=1, description="The value is a whole multiple of this.")
    only: list[int | float | str] | None = Field(None, min_length=1, description="The only values there are.")
    max_length: int | None = Field(None, ge=1, description="Most characters of a text.")

    @model_validator(mode="after")
    def _says_something(self) -> "Limit":
        if not self.model_fields_set:
            raise ValueError("sets no limit")
        return self

    def broken_by(self, value: Any) -> Iterator[str]:
        """What is wrong with `value`, in words; nothing when it is within the limit. None is never wrong."""
        if value is None:
            return
        if self.only is not None and value not in self.only:
            yield f"this model takes only {', '.join(map(str, self.only))}"
        if self.min is not None and value < self.min:
            yield f"this model takes at least {self.min:g}"
        if self.max is not None and value > self.max:
            yield f"this model takes at most {self.max:g}"
        if self.multiple_of is not None and value % self.multiple_of:
            yield f"this model takes multiples of {self.multiple_of}"
        if self.max_length is not None and len(value) > self.max_length:
            yield f"this model takes at most {self.max_length} characters"

    def narrow(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The JSON Schema of a field, narrowed by this limit."""
        words = {
            "minimum": self.min,
            "maximum": self.max,
            "multipleOf": self.multiple_of,
            "enum": self.only,
            "maxLength": self.max_length,
        }
        return {**schema, **{word: value for word, value in words.items() if value is not None}}
