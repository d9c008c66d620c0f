"""Kinds that make music."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pipelines.kinds.base import (
    MAX_PROMPT,
    CleanText,
    FileRef,
    Inputs,
    MaybePrompt,
    Media,
    Prompt,
    PromptText,
)
from pipelines.kinds.images import SAMPLE

Key = Literal[
    "C major",
    "Db major",
    "D major",
    "Eb major",
    "E major",
    "F major",
    "F# major",
    "G major",
    "Ab major",
    "A major",
    "Bb major",
    "B major",
    "C minor",
    "C# minor",
    "D minor",
    "Eb minor",
    "E minor",
    "F minor",
    "F# minor",
    "G minor",
    "G# minor",
    "A minor",
    "Bb minor",
    "B minor",
]
Metre = Literal["2/4", "3/4", "4/4", "5/4", "6/8", "7/8", "9/8", "12/8"]
USUAL_STEPS = 50
"""What a model of its own number of steps counts as."""


class TextToMusic(Inputs):
    """Music from a description in words."""

    kind = "text-to-music"
    summary = "Music from a description in words."
    outputs: ClassVar[Media] = "audio"
    example: ClassVar = {"prompt": "a slow waltz"}
    batch_fields: ClassVar[tuple[str, ...]] = (
        "duration_seconds",
        "steps",
        "guidance",
        "temperature",
        "tempo",
        "key",
        "metre",
    )
    cost_unit = "seconds of sound at 50 steps"

    prompt: Prompt = Field(description="What the music is like: style, mood, instruments.")
    negative_prompt: CleanText = Field(
        "", max_length=MAX_PROMPT, description="What it should not be like; may be empty."
    )
    duration_seconds: float = Field(
        10, ge=1, le=600, description="How long it is.", json_schema_extra={"unit": "seconds"}
    )
    tempo: int | None = Field(
        None,
        ge=30,
        le=300,
        description="Beats a minute; the model's choice when absent.",
        json_schema_extra={"unit": "beats/min"},
    )
    key: Key | None = Field(None, description="The key; the model's choice when absent.")
    metre: Metre | None = Field(None, description="Beats in a bar; the model's choice when absent.")
    instruments: list[Annotated[PromptText, Field(max_length=40)]] = Field(
        [], max_length=16, description="Instruments by name, such as piano; the model's choice when empty."
    )
    lyrics: CleanText = Field(
        "", max_length=8_000, description="Words that are sung, for models that sing; may be empty."
    )
    steps: int | None = Field(
        None,
        ge=1,
        le=250,
        description="Denoising steps, for models that denoise; the model's own number when absent.",
        json_schema_extra={"unit": "steps"},
    )
    guidance: float | None = Field(
        None, ge=0, le=30, description="How strongly the prompt steers; the model's own when absent."
    )
    temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        description="How adventurous the choice of each token is, for models that write tokens; the model's "
        "own when absent.",
    )
    format: Literal["flac", "wav", "ogg", "mp3"] = Field(
        "flac", description="File format: flac and wav keep every sample, ogg (Opus) and mp3 are smaller."
    )

    def cost(self) -> float:
        """Seconds of sound × outputs, and as much more or less as steps are asked for than usual."""
        return self.n * self.duration_seconds * (self.steps or USUAL_STEPS) / USUAL_STEPS


class ContinueMusic(TextToMusic):
    """Music that goes on from a recording or a score."""

    kind = "continue-music"
    summary = "Music that goes on from a recording, or from a MIDI file."
    media: ClassVar = {"audio": "audio"}
    example: ClassVar = {"audio": SAMPLE}

    prompt: MaybePrompt = Field("", description="What the new part is like; may be empty.")
    audio: FileRef = Field(
        description="What to go on from: a recording, or a MIDI file for models that write scores. It stands "
        "at the beginning of the output."
    )
    duration_seconds: float = Field(
        10, ge=1, le=600, description="How long the new part is.", json_schema_extra={"unit": "seconds"}
    )
