"""Limits that a model sets on the fields of its kinds: narrower than the kind's own ranges."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Limit(BaseModel):
    """What one field may be. Numbers take `min`, `max`, `multiple_of`, `plus`, `only`; texts `max_length`,
    `only`."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    min: float | None = Field(None, description="Smallest value.")
    max: float | None = Field(None, description="Largest value.")
    multiple_of: int | None = Field(None, ge=1, description="The value is a whole multiple of this.")
    plus: int | None = Field(
        None, ge=1, description="With `multiple_of`: and so many more; 8 and 1 are 1, 9, 17 and so on."
    )
    only: list[int | float | str] | None = Field(None, min_length=1, description="The only values there are.")
    max_length: int | None = Field(None, ge=1, description="Most characters of a text.")

    @model_validator(mode="after")
    def _says_something(self) -> "Limit":
        if not self.model_fields_set:
            raise ValueError("sets no limit")
        if self.plus is not None and (self.multiple_of is None or self.plus >= self.multiple_of):
            raise ValueError("plus goes with a larger multiple_of")
        return self

    def broken_by(self, value: Any) -> Iterator[str]:
        """What is wrong with `value`, in words; nothing when it is within the limit. None is never wrong."""
        if value is None:
            return
        if self.max_length is not None and not isinstance(value, str):
            yield "max_length goes with a text"
            return
        numeric = self.min is not None or self.max is not None or self.multiple_of is not None
        if numeric and not isinstance(value, int | float):
            yield "min, max and multiple_of go with a number"
            return
        if self.only is not None and value not in self.only:
            yield f"this model takes only {', '.join(map(str, self.only))}"
        if self.min is not None and value < self.min:
            yield f"this model takes at least {self.min:g}"
        if self.max is not None and value > self.max:
            yield f"this model takes at most {self.max:g}"
        if self.multiple_of is not None:
            yield from self._beside(value, self.multiple_of, self.plus or 0)
        if self.max_length is not None and len(value) > self.max_length:
            yield f"this model takes at most {self.max_length} characters"

    @staticmethod
    def _beside(value: Any, step: int, plus: int) -> Iterator[str]:
        """Words for a value that is not among those that stand `step` apart; the nearest are named."""
        if beyond := (value - plus) % step:
            below = value - beyond
            near = f"{below:g} or {below + step:g}" if below > 0 else f"{below + step:g}"
            more = f" and {plus} more" if plus else ""
            yield f"this model takes multiples of {step}{more}, such as {near}"

    def narrow(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The JSON Schema of a field, narrowed by this limit."""
        words = {
            "minimum": self.min,
            "maximum": self.max,
            "multipleOf": None if self.plus else self.multiple_of,  # JSON Schema has no word for `plus`
            "enum": self.only,
            "maxLength": self.max_length,
        }
        return {**schema, **{word: value for word, value in words.items() if value is not None}}
