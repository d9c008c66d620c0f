"""What all kinds share: kinds of text, references to files and texts, the inputs that every kind has."""

from collections.abc import Mapping
from hashlib import blake2s
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pipelines.seeds import MODULUS

MAX_PROMPT = 4_000
MAX_TEXT_PROMPT = 100_000

Media = Literal["image", "video", "audio", "text"]
"""What a job makes, and what a file may hold: the first half of a media type."""


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


class Strict(BaseModel):
    """Takes values of exactly its types, no unknown fields, and does not change."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


JOB_ID = r"^(job_[0-9a-f]{24}|#[A-Za-z0-9_.-]{1,64})$"
ARTIFACT_NAME = r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$"


class FileRef(Strict):
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
        pattern=JOB_ID,
    )
    artifact: str = Field(
        "", description="Name of that job's artifact; its first output when absent.", pattern=ARTIFACT_NAME
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


class TextRef(Strict):
    """A text that another job makes: `{"job": id}`. The worker puts the words in its place."""

    job: str = Field(
        description="Id of the job, or `#ref` of a job in the same submitted list; it is waited for.",
        pattern=JOB_ID,
    )
    artifact: str = Field(
        "", description="Name of that job's artifact; its first output when absent.", pattern=ARTIFACT_NAME
    )

    @model_serializer
    def _as_written(self) -> dict[str, str]:
        return {name: value for name, value in self if value}


WORDS, REFERENCE = "(words)", "(reference)"
"""How the two forms of a prompt are told apart in pydantic's errors; no pointer shows them."""


def _form(value: Any) -> str:
    return REFERENCE if isinstance(value, (Mapping, TextRef)) else WORDS


Prompt = Annotated[
    Annotated[PromptText, Field(max_length=MAX_PROMPT), Tag(WORDS)] | Annotated[TextRef, Tag(REFERENCE)],
    Discriminator(_form),
]
MaybePrompt = Annotated[
    Annotated[CleanText, Field(max_length=MAX_PROMPT), Tag(WORDS)] | Annotated[TextRef, Tag(REFERENCE)],
    Discriminator(_form),
]
LongPrompt = Annotated[
    Annotated[PromptText, Field(max_length=MAX_TEXT_PROMPT), Tag(WORDS)] | Annotated[TextRef, Tag(REFERENCE)],
    Discriminator(_form),
]


class Inputs(Strict):
    """Validated arguments of one request. Frozen: what was checked is what runs."""

    kind: ClassVar[str]
    summary: ClassVar[str]
    """One line for people: what this kind makes of what."""
    outputs: ClassVar[Media]
    """What it makes; see `gives`."""
    media: ClassVar[Mapping[str, Media]] = {}
    """What each field that takes a file may be given. A MIDI file is `audio/midi`."""
    example: ClassVar[Mapping[str, Any]]
    """About the least that a request says."""
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
        values = (getattr(self, name) for name in self.batch_fields)
        return (self.kind, *(tuple(value) if isinstance(value, list) else value for value in values))

    def batch(self) -> str:
        """A short digest of `batch_key`, for the job's record."""
        return blake2s(repr(self.batch_key()).encode(), digest_size=8).hexdigest()

    def cost(self) -> float:
        """Work of this request, in `cost_unit`s, for fair shares and estimates."""
        raise NotImplementedError

    def gives(self) -> Media:
        """What this request makes."""
        return self.outputs

    def as_json(self) -> dict[str, Any]:
        """The effective inputs as JSON values, for the job's record; `parse_inputs` reads them back."""
        return self.model_dump(mode="json")

    def references(self) -> dict[str, FileRef | TextRef]:
        """What this request needs from elsewhere, by field name."""
        return {name: value for name, value in self if isinstance(value, FileRef | TextRef)}

    def files(self) -> dict[str, FileRef]:
        """The files among them."""
        return {name: value for name, value in self if isinstance(value, FileRef)}

    def texts(self) -> dict[str, TextRef]:
        """The texts of other jobs among them."""
        return {name: value for name, value in self if isinstance(value, TextRef)}


def disagree(field: str, detail: str) -> PydanticCustomError:
    """Values that are fine alone do not go together; the pointer goes to `field`."""
    return PydanticCustomError("disagree", detail, {"field": field})
