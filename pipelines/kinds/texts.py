"""Kinds that write text and code."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from pipelines.kinds.base import (
    MAX_TEXT_PROMPT,
    CleanText,
    Inputs,
    LongPrompt,
    Media,
    PromptText,
    Strict,
    disagree,
)
from pipelines.languages import language_of

MAX_MESSAGES = 256
MAX_TESTS = 64


class Written(Inputs):
    """Written token by token."""

    outputs: ClassVar[Media] = "text"
    cost_unit = "tokens"

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
    min_p: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Leave out tokens that are less than this share as likely as the likeliest.",
    )
    stop: list[Annotated[CleanText, Field(min_length=1, max_length=64)]] = Field(
        [], max_length=8, description="Texts that end an output when they appear; they are not part of it."
    )

    def batch_key(self) -> tuple[str]:
        """All that is written token by token may run together, whatever its kind."""
        return ("written",)

    def cost(self) -> float:
        """Tokens × outputs, if every output runs to its end."""
        return float(self.n * self.max_tokens)


class Text(Written):
    """Text that goes on from a prompt."""

    kind = "text"
    summary = "Text that goes on from a prompt, streamed while it is made."
    example: ClassVar = {"prompt": "Once upon a time"}

    prompt: LongPrompt = Field(description="The text to go on from.")


class Message(Strict):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"] = Field(
        description="Who says it: system sets the rules, user asks, assistant has answered."
    )
    content: Annotated[PromptText, Field(max_length=MAX_TEXT_PROMPT)] = Field(description="What is said.")


class Chat(Written):
    """The next answer in a conversation."""

    kind = "chat"
    summary = "The next answer in a conversation, streamed while it is made."
    example: ClassVar = {"messages": [{"role": "user", "content": "Hello!"}]}

    messages: list[Message] = Field(
        min_length=1,
        max_length=MAX_MESSAGES,
        description="The conversation so far, oldest first; the last is the user's.",
    )
    max_tokens: int = Field(
        512,
        ge=1,
        le=32_768,
        description="Most tokens to make for each output.",
        json_schema_extra={"unit": "tokens"},
    )

    @model_validator(mode="after")
    def _asks_something(self) -> "Chat":
        if self.messages[-1].role != "user":
            raise disagree("messages", "the last message must be the user's, or there is nothing to answer")
        if sum(len(message.content) for message in self.messages) > MAX_TEXT_PROMPT:
            raise disagree("messages", f"must have at most {MAX_TEXT_PROMPT} characters together")
        return self


class Code(Written):
    """Code by instruction, completion or infilling."""

    kind = "code"
    summary = "Code: by an instruction, going on from a beginning, or filling a gap. Streamed."
    example: ClassVar = {"prefix": "def add(a, b):\n"}

    prompt: CleanText = Field(
        "", max_length=MAX_TEXT_PROMPT, description="What the code should do; this or a prefix is needed."
    )
    prefix: CleanText = Field("", max_length=MAX_TEXT_PROMPT, description="The code before the place.")
    suffix: CleanText = Field(
        "", max_length=MAX_TEXT_PROMPT, description="The code after the place, for filling a gap."
    )
    language: str = Field(
        "",
        max_length=40,
        pattern=r"^[A-Za-z0-9 +#._-]*$",
        description="The programming language, such as python; the model's guess when empty.",
    )
    tests: list[Annotated[CleanText, Field(min_length=1, max_length=2_000)]] = Field(
        [],
        max_length=MAX_TESTS,
        description="Tests in that language, each an expression that must be true of the code or a statement"
        " that must raise nothing. The outputs come in the order of how many they pass. Only where the"
        " operator has allowed code to be run.",
    )
    max_tokens: int = Field(
        256,
        ge=1,
        le=32_768,
        description="Most tokens to make for each output.",
        json_schema_extra={"unit": "tokens"},
    )
    temperature: float = Field(
        0.2, ge=0, le=2, description="How adventurous the choice of each token is; 0 takes the likeliest."
    )

    @model_validator(mode="after")
    def _asks_something(self) -> "Code":
        if not self.prompt.strip() and not self.prefix.strip():
            raise disagree("prompt", "give an instruction or a prefix")
        if self.tests and language_of(self.language) is None:
            raise disagree("tests", "go with the language python or javascript only")
        return self
