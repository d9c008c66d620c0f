"""A model: named weights of one family, as a row of a catalog states it. Loads nothing heavy."""

import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pipelines.errors import FolderRefused, InvalidInputs, ModelUnavailable, Problem
from pipelines.kinds import KINDS, Inputs, parse_inputs, pointer, schema_of
from pipelines.limits import Limit
from pipelines.loras import Lora, as_path, unknown_loras
from pipelines.weights import check_safe, digest_folder, files_of

HUB = r"^([A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?$"
NAME = r"^[a-z0-9][a-z0-9._-]{0,63}/[a-z0-9][a-z0-9._-]{0,63}$"
SLUG = r"^[a-z0-9][a-z0-9_-]{0,63}$"


LOADED_BY = {"family", "weights", "url", "revision", "sha256", "dtype", "options", "loras"}
"""The fields that decide what is loaded."""

UNREADABLE = -1  # in place of a stamp
_CHECKED: set[tuple[Path, str, int]] = set()
"""Folders, digests and stamps that this process has found to agree. Reading 60 GB takes a minute, and an
engine may load the same model many times."""


class Model(BaseModel):
    """One row of a catalog. Field names are the keys of the TOML table `[[model]]`."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(pattern=NAME, description="Who made it and what it is called: `house/scenes`.")
    title: str = Field("", max_length=200, description="One line for people; the name when empty.")
    family: str = Field(pattern=SLUG, description="The family whose code runs it, by its entry point's name.")
    kinds: list[str] = Field(
        description="The kinds it does. A classifier, which looks at what others make, has none: `[]`."
    )
    weights: Path | None = Field(
        None, description="Folder of the weights; relative to the catalog file that says so."
    )
    hub: str = Field(
        "",
        pattern=HUB,
        description="Where `atelier models pull` gets the weights: a repository of the model hub.",
    )
    url: str = Field(
        "",
        max_length=500,
        pattern=r"^(https?://[^\s@?#]+)?$",
        description="Server that runs the model, for a family that calls one; it has no weights here.",
    )
    revision: str = Field(
        "",
        max_length=100,
        description="Which version of the weights this is; written into every artifact. "
        "Empty in a row with `hub`: the newest, and `pull` writes down which that was.",
    )
    sha256: str = Field(
        "",
        pattern=r"^([0-9a-f]{64})?$",
        description="Digest of the folder (`digest_folder`), checked before loading; empty: not checked.",
    )
    licence: str = Field(
        "unknown", max_length=100, description="Licence of the weights, as an SPDX id where one is."
    )
    licence_class: Literal["open", "conditions", "non-commercial", "unknown"] = Field(
        "unknown",
        description="What the licence means for you: free to use; free within its conditions; "
        "not for commercial use, so that it must be accepted first; not known.",
    )
    licence_accepted: bool = Field(
        False, description="Whether the operator accepts a licence that is not for commercial use."
    )
    memory_bytes: int = Field(0, ge=0, description="Device memory it needs to run, in bytes; 0: not known.")
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        "auto", description="Number format it runs in; auto is bfloat16 on a GPU that has it, else float32."
    )
    queue: str = Field(
        pattern=SLUG, description="The waiting line of its jobs; workers choose lines to serve."
    )
    max_batch: int = Field(
        8,
        ge=1,
        le=64,
        description="Most outputs of several jobs that a worker brings together in one run (8 at most); fewer"
        " where the family cannot, or where they do not fit the device. What one job may ask for is"
        " `limits.n.max`.",
    )
    seconds_per_unit: float = Field(
        0.1,
        gt=0,
        description="Device-seconds for one unit of cost (megapixel-step, token), for fair shares.",
    )
    default_for: list[str] = Field(
        [], description="Kinds that it does when a request names no model; the last row that says so wins."
    )
    pinned: bool = Field(
        False,
        description="Whether workers load it as soon as they have nothing to do, and keep it loaded: it is"
        " dropped only where another model fits in no other way, and then loaded again.",
    )
    enabled: bool = Field(True, description="false takes the model out of the catalog.")
    options: dict[str, Any] = Field(
        {}, description="What the family's `load` takes beside the weights; each family says what."
    )
    defaults: dict[str, Any] = Field({}, description="Values of fields that a request leaves out.")
    limits: dict[str, Limit] = Field({}, description="Narrower ranges of fields.")
    loras: dict[str, Lora] = Field(
        {}, description="The LoRAs that its requests may name; the catalog fills it in from `[[lora]]`."
    )

    _weights_as_path = field_validator("weights", mode="before")(as_path)

    @model_validator(mode="after")
    def _is_somewhere(self) -> "Model":
        if not (self.weights or self.hub or self.url):
            raise ValueError("needs weights, hub or url: where the model is")
        return self

    @model_validator(mode="after")
    def _agrees_with_its_kinds(self) -> "Model":
        for kind in (*self.kinds, *self.default_for):
            if kind not in KINDS:
                raise ValueError(f"there is no kind {kind!r}; known: {', '.join(KINDS)}")
        if not self.kinds and "categories" not in self.options:
            raise ValueError("kinds is empty, and options name no categories, as a classifier's do")
        if stray := set(self.default_for) - set(self.kinds):
            raise ValueError(f"default_for names kinds that it does not do: {', '.join(sorted(stray))}")
        known = {name for kind in self.kinds for name in KINDS[kind].model_fields}
        if unknown := (self.defaults.keys() | self.limits.keys()) - known:
            raise ValueError(f"its kinds have no field {', '.join(sorted(unknown))}")
        for kind in self.kinds:
            self._check_defaults(kind)
        return self

    def _check_defaults(self, kind: str) -> None:
        """A request with only what must be given has to be valid, or nobody could use the model."""
        try:
            self.inputs(kind, dict(KINDS[kind].example))
        except InvalidInputs as error:
            raise ValueError(f"with its own defaults, {kind} is not valid: {error}") from error

    def inputs(self, kind: str, raw: dict[str, Any]) -> Inputs:
        """`raw` over this model's defaults over the kind's, validated against both; raises InvalidInputs."""
        fields = KINDS[kind].model_fields
        defaults = {name: value for name, value in self.defaults.items() if name in fields}
        inputs = parse_inputs(kind, {**defaults, **raw})
        broken = [
            Problem(pointer("inputs", name), detail)
            for name, limit in self.limits.items()
            if name in fields and name not in inputs.texts()  # which are checked once their words are known
            for detail in limit.broken_by(getattr(inputs, name))
        ] + [
            Problem(pointer("inputs", "loras", place, "name"), detail)
            for place, detail in unknown_loras(getattr(inputs, "loras", ()), list(self.loras))
        ]
        if broken:
            raise InvalidInputs(broken)
        return inputs

    def schema_for(self, kind: str) -> dict[str, Any]:
        """The JSON Schema of a kind's inputs with this model's defaults and limits."""
        schema = schema_of(kind)
        properties = dict(schema["properties"])
        for name, value in self.defaults.items():
            if name in properties:
                properties[name] = {**properties[name], "default": value}
        for name, limit in self.limits.items():
            if name in properties:
                properties[name] = limit.narrow(properties[name])
        return {**schema, "properties": properties}

    @property
    def offered(self) -> bool:
        """Whether requests may name it: it has a place to run from, and a licence that is not in the way."""
        return bool(self.enabled and (self.weights or self.url) and not self.refused_by_licence)

    @property
    def why_not_offered(self) -> str:
        """What an operator does so that requests may name it, in words; empty when they may."""
        if not self.enabled:
            return "its row says enabled = false"
        if self.refused_by_licence:
            return (
                f"its licence, {self.licence}, is not for commercial use; "
                f"`atelier models accept {self.name}` accepts it"
            )
        return "" if self.offered else f"it has not been pulled; `atelier models pull {self.name}` does that"

    @property
    def refused_by_licence(self) -> bool:
        return self.licence_class == "non-commercial" and not self.licence_accepted

    @property
    def load_key(self) -> str:
        """Equal for rows that load the same, whatever else they say: one loaded pipeline serves them all."""
        return self.model_dump_json(include=LOADED_BY)

    def is_here(self) -> bool:
        """Whether this machine has the weights, so that a worker on it can serve the model."""
        try:
            return bool(self.url or (self.weights and files_of(self.weights)))
        except OSError:  # a network disk that is away
            return False

    def stamp(self) -> int:
        """Differs once a file of the weights was added, removed or written: cheap, unlike a digest. Also
        while the folder cannot be read, or is written just now."""
        if self.weights is None:
            return 0
        try:
            found = [(name, (self.weights / name).stat()) for name in files_of(self.weights)]
        except OSError:
            return UNREADABLE
        return hash(tuple((name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for name, stat in found))

    def check_weights(self) -> None:
        """Raise ModelUnavailable unless the folder is here, safe to load, whole, and the one stated."""
        if self.refused_by_licence:
            raise ModelUnavailable(f"{self.name} is not loaded: {self.why_not_offered}")
        if self.weights is None:
            return
        if not self.is_here():
            raise ModelUnavailable(f"the weights of {self.name} are not at {self.weights}")
        try:
            check_safe(self.weights)
            self._check_digest(self.weights)
        except FolderRefused as error:
            raise ModelUnavailable(
                f"the weights of {self.name} at {self.weights} are refused: {error}"
            ) from error
        except OSError as error:
            raise ModelUnavailable(
                f"the weights of {self.name} at {self.weights} cannot be read: {error.strerror}"
            ) from error

    def _check_digest(self, weights: Path) -> None:
        checked = (weights, self.sha256, self.stamp())
        if self.sha256 and checked not in _CHECKED:
            if digest_folder(weights) != self.sha256:
                raise ModelUnavailable(
                    f"the weights of {self.name} at {weights} are not the ones stated by sha256"
                )
            if checked[2] == self.stamp() != UNREADABLE:  # nothing was written meanwhile
                _CHECKED.add(checked)


if __name__ == "__main__":
    print(digest_folder(Path(sys.argv[1])))
