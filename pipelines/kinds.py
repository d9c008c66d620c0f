"""Kinds: what a job does, and the inputs that each takes. Written once; the API's validation, its JSON
Schema, the web forms and the command's flags all come from here. Loads nothing heavy.

Every field has a help text (`description`), a range, and a unit where it has one. A model's catalog row
may narrow ranges and change defaults (`pipelines.models`), never widen them.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from pipelines.errors import InvalidInputs, Problem, UnknownKind
from pipelines.seeds import MODULUS

MAX_IMAGE_PROMPT = 4_000
MAX_TEXT_PROMPT = 100_000


def _clean(text: str) -> str:
    """Any Unicode is welcome but NUL, which ends C strings, and halves of pairs, which UTF-8 cannot write."""
    if "\x00" in text:
        raise PydanticCustomError("nul", "must not contain the NUL character")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise PydanticCustomError("surrogate", "must not contain half of a surrogate pair")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "must not be empty or only white space")
    return text


# The white space of Python, character by character: what `\s` means differs from one language to the next.
BLANK = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
CleanText = Annotated[str, AfterValidator(_clean), Field(json_schema_extra={"pattern": r"^[^\x00]*$"})]
PromptText = Annotated[
    str,
    AfterValidator(_clean),
    AfterValidator(_not_blank),
    Field(json_schema_extra={"minLength": 1, "pattern": rf"^[^\x00]*[^\x00{BLANK}][^\x00]*$"}),
]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class FileRef(_Strict):
    """A file by where it is: `{"upload": id}`, `{"job": id}` for an output of another job, `{"url": …}`."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["upload"]}, {"required": ["job"]}, {"required": ["url"]}]}
    )

    upload: str = Field(
        "", description="Id that the upload was answered with.", pattern=r"^[A-Za-z0-9_-]{1,64}$"
    )
    job: str = Field(
        "",
        description="Id of the job, or `#ref` of a job in the same submitted list; it is waited for.",
        pattern=r"^(job_[0-9a-f]{24}|#[A-Za-z0-9_.-]{1,64})$",
    )
    artifact: str = Field(
        "",
        description="Name of that job's artifact; its first output when absent.",
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$",
    )

    url: str = Field(
        "",
        description="Where to download it from when the job is submitted, if the server's operator has turned"
        " that on. It becomes an upload.",
        max_length=2048,
        pattern=r"^https?://[!-~]+$",
    )

    @model_validator(mode="after")
    def _one_place(self) -> "FileRef":
        if sum(map(bool, (self.upload, self.job, self.url))) != 1:
            raise PydanticCustomError("disagree", "must have one of upload, job and url")
        if self.artifact and not self.job:
            raise PydanticCustomError("disagree", "goes with job only", {"field": "artifact"})
        return self

    @model_serializer
    def _as_written(self) -> dict[str, str]:
        return {name: value for name, value in self if value}


class Inputs(_Strict):
    """Validated arguments of one request. Frozen: what was checked is what runs."""

    kind: ClassVar[str]
    summary: ClassVar[str]
    """One line for people: what this kind makes of what."""
    batch_fields: ClassVar[tuple[str, ...]] = ()
    """Fields that must be equal for two requests to share a batch."""
    cost_unit: ClassVar[str]
    """What `cost` counts; a model's `seconds_per_unit` turns it into device-seconds."""

    seed: int | None = Field(
        None,
        ge=0,
        lt=MODULUS,
        description="Start of the random numbers; the same seed gives the same output. Chosen when absent. "
        "Output i uses (seed + i) mod 2^32.",
    )
    n: int = Field(
        1, ge=1, le=16, description="How many outputs to make.", json_schema_extra={"unit": "outputs"}
    )

    def batch_key(self) -> tuple[Any, ...]:
        """Requests for one model with equal keys may run in one batch."""
        return (self.kind, *(getattr(self, name) for name in self.batch_fields))

    def cost(self) -> float:
        """Work of this request, in `cost_unit`s, for fair shares and estimates."""
        raise NotImplementedError

    def as_json(self) -> dict[str, Any]:
        """The effective inputs as JSON values, for the job's record; `parse_inputs` reads them back."""
        return self.model_dump(mode="json")

    def files(self) -> dict[str, FileRef]:
        """The files that this request needs, by field name."""
        return {name: value for name, value in self if isinstance(value, FileRef)}


class TextToImage(Inputs):
    """Pictures from a description in words."""

    kind = "text-to-image"
    summary = "Pictures from a description in words."
    batch_fields: ClassVar[tuple[str, ...]] = ("width", "height", "steps", "guidance", "scheduler")
    cost_unit = "megapixel-steps"

    prompt: PromptText = Field(max_length=MAX_IMAGE_PROMPT, description="What the picture shows.")
    negative_prompt: CleanText = Field(
        "", max_length=MAX_IMAGE_PROMPT, description="What the picture should not show; may be empty."
    )
    width: int = Field(
        512, ge=64, le=2048, multiple_of=8, description="Width.", json_schema_extra={"unit": "pixels"}
    )
    height: int = Field(
        512, ge=64, le=2048, multiple_of=8, description="Height.", json_schema_extra={"unit": "pixels"}
    )
    steps: int = Field(
        30,
        ge=1,
        le=150,
        description="Denoising steps: more is slower, up to a point better.",
        json_schema_extra={"unit": "steps"},
    )
    guidance: float = Field(
        7.5, ge=0, le=30, description="How strongly the prompt steers the picture; 1 or less switches it off."
    )
    scheduler: Literal["ddim", "euler", "euler-ancestral", "dpm-solver"] | None = Field(
        None, description="The sampling method; the model's own when absent."
    )

    def cost(self) -> float:
        """Megapixels × steps × outputs."""
        return self.n * self.steps * self.width * self.height / 1e6


class ImageToImage(TextToImage):
    """Pictures made from a picture and a description in words."""

    kind = "image-to-image"
    summary = "Pictures made from a picture and a description in words."
    batch_fields = (*TextToImage.batch_fields, "strength")

    image: FileRef = Field(
        description="The picture to start from. It is scaled until it covers width × height, then cut to it "
        "round its middle; transparent parts become white."
    )
    strength: float = Field(
        0.6, gt=0, le=1, description="How far to depart from the picture: near 0 keeps it, 1 makes it anew."
    )

    @model_validator(mode="after")
    def _takes_a_step(self) -> "ImageToImage":
        if int(self.steps * self.strength) < 1:
            raise PydanticCustomError(
                "disagree",
                "steps × strength must be at least 1, or nothing would change",
                {"field": "strength"},
            )
        return self

    def cost(self) -> float:
        """As text-to-image, of which only steps × strength are run."""
        return super().cost() * self.strength


class Text(Inputs):
    """Text that goes on from a prompt."""

    kind = "text"
    summary = "Text that goes on from a prompt, streamed while it is made."
    cost_unit = "tokens"

    prompt: PromptText = Field(max_length=MAX_TEXT_PROMPT, description="The text to go on from.")
    max_tokens: int = Field(
        128,
        ge=1,
        le=32_768,
        description="Most tokens to make for each output.",
        json_schema_extra={"unit": "tokens"},
    )
    temperature: float = Field(
        0.8, ge=0, le=2, description="How adventurous the choice of each token is; 0 takes the likeliest."
    )
    top_p: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Choose only among the likeliest tokens that together have this probability.",
    )
    stop: list[Annotated[CleanText, Field(min_length=1, max_length=64)]] = Field(
        [], max_length=8, description="Texts that end an output when they appear; they are not part of it."
    )

    def cost(self) -> float:
        """Tokens × outputs, if every output runs to its end."""
        return float(self.n * self.max_tokens)


KINDS: dict[str, type[Inputs]] = {cls.kind: cls for cls in (TextToImage, ImageToImage, Text)}
"""Every kind by its name, in the order that people see them."""


def inputs_of(kind: str) -> type[Inputs]:
    """The inputs class of a kind; raises UnknownKind."""
    if kind not in KINDS:
        raise UnknownKind(f"there is no kind {kind!r}; known: {', '.join(KINDS)}")
    return KINDS[kind]


def parse_inputs(kind: str, raw: Mapping[str, Any]) -> Inputs:
    """`raw` (as JSON gave it) as validated inputs; raises InvalidInputs with every problem's pointer."""
    cls = inputs_of(kind)
    try:
        return cls.model_validate(dict(raw))
    except ValidationError as error:
        found = [_problem(details) for details in error.errors(include_url=False)]
        raise InvalidInputs(list(dict.fromkeys(found))) from error


def schema_of(kind: str) -> dict[str, Any]:
    """JSON Schema (2020-12) of a kind's inputs, with help texts, units and defaults."""
    cls = inputs_of(kind)
    return {**cls.model_json_schema(), "title": cls.__name__, "description": cls.summary}


def pointer(*parts: str | int) -> str:
    """A JSON pointer (RFC 6901) to a value in a request."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _problem(details: ErrorDetails) -> Problem:
    field = details.get("ctx", {}).get("field")
    place = (*details["loc"], field) if field else details["loc"]
    unknown = details["type"] == "extra_forbidden"
    return Problem(pointer("inputs", *place), "there is no such field" if unknown else details["msg"])
