"""Kinds that make pictures."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from pipelines.kinds.base import (
    MAX_PROMPT,
    CleanText,
    FileRef,
    Inputs,
    MaybePrompt,
    Media,
    Prompt,
    Strict,
    disagree,
)

Scheduler = Literal["ddim", "euler", "euler-ancestral", "heun", "dpm-solver", "unipc", "lcm"]
SAMPLE = {"upload": "UPLOAD_ID"}
VIDEO_AS_PICTURES = 48
"""How many pictures a video counts as while nobody knows its length."""


class Lora(Strict):
    """A small addition to a model, that the operator has installed."""

    name: str = Field(
        description="Its name, as the model's list says.", pattern=r"^[a-z0-9][a-z0-9._/-]{0,127}$"
    )
    scale: float = Field(1.0, ge=-4, le=4, description="How strongly it acts; 0 not at all, 1 as trained.")


class Sampled(Inputs):
    """Made from noise, step by step, as a prompt steers it."""

    prompt: Prompt = Field(description="What it shows.")
    negative_prompt: CleanText = Field(
        "", max_length=MAX_PROMPT, description="What it should not show; may be empty."
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
        7.5, ge=0, le=30, description="How strongly the prompt steers; 1 or less switches it off."
    )
    scheduler: Scheduler | None = Field(None, description="The sampling method; the model's own when absent.")
    loras: list[Lora] = Field(
        [], max_length=4, description="Additions to the model, by name; the model's list says which it has."
    )

    @model_validator(mode="after")
    def _each_lora_once(self) -> "Sampled":
        if len({lora.name for lora in self.loras}) < len(self.loras):
            raise disagree("loras", "must name each addition once")
        return self


class FromSample(Sampled):
    """Starts from something that is there, and departs from it by `strength`."""

    strength: float = Field(
        0.6, gt=0, le=1, description="How far to depart from what is given: near 0 keeps it, 1 makes it anew."
    )

    @model_validator(mode="after")
    def _takes_a_step(self) -> "FromSample":
        if int(self.steps * self.strength) < 1:
            raise disagree("strength", "steps × strength must be at least 1, or nothing would change")
        return self


class TextToImage(Sampled):
    """Pictures from a description in words."""

    kind = "text-to-image"
    summary = "Pictures from a description in words."
    outputs: ClassVar[Media] = "image"
    example: ClassVar = {"prompt": "a lighthouse at dusk"}
    batch_fields: ClassVar[tuple[str, ...]] = ("width", "height", "steps", "guidance", "scheduler", "loras")
    cost_unit = "megapixel-steps"

    format: Literal["png", "webp", "jpeg"] = Field(
        "png", description="File format: png and webp keep every pixel, jpeg is smaller."
    )

    def cost(self) -> float:
        """Megapixels × steps × outputs."""
        return self.n * self.steps * self.width * self.height / 1e6


class ImageToImage(FromSample, TextToImage):
    """Pictures made from a picture and a description in words."""

    kind = "image-to-image"
    summary = "Pictures made from a picture and a description in words."
    media: ClassVar = {"image": "image"}
    example: ClassVar = {"prompt": "a lighthouse in snow", "image": SAMPLE}
    batch_fields = (*TextToImage.batch_fields, "strength")

    image: FileRef = Field(
        description="The picture to start from. It is scaled until it covers width × height, then cut to it "
        "round its middle; transparent parts become white."
    )

    def cost(self) -> float:
        """As text-to-image, of which only steps × strength are run."""
        return super().cost() * self.strength


class Inpaint(ImageToImage):
    """A picture of which a part is made anew."""

    kind = "inpaint"
    summary = "A picture of which a part, by a mask, is made anew."
    media: ClassVar = {"image": "image", "mask": "image"}
    example: ClassVar = {"prompt": "a red door", "image": SAMPLE, "mask": SAMPLE}

    mask: FileRef = Field(
        description="A picture that says where: white and transparent parts are made anew, black ones stay. "
        "It is scaled and cut as the picture is."
    )
    strength: float = Field(
        1.0, gt=0, le=1, description="How far to depart from what is given: near 0 keeps it, 1 makes it anew."
    )


class Upscale(Inputs):
    """A picture or a video, larger and with more detail."""

    kind = "upscale"
    summary = "A picture, or a video frame by frame, made larger."
    outputs: ClassVar[Media] = "image"
    media: ClassVar = {"image": "image", "video": "video"}
    example: ClassVar = {"image": SAMPLE}
    batch_fields: ClassVar[tuple[str, ...]] = ("factor", "steps", "guidance", "noise_level", "scheduler")
    cost_unit = "picture-steps"

    image: FileRef | None = Field(None, description="The picture to enlarge; this or a video.")
    video: FileRef | None = Field(
        None, description="The video to enlarge, frame by frame; its sound is kept. This or a picture."
    )
    prompt: MaybePrompt = Field("", description="What it shows; may be empty.")
    negative_prompt: CleanText = Field(
        "", max_length=MAX_PROMPT, description="What it should not show; may be empty."
    )
    factor: Literal[2, 4] | None = Field(
        None,
        description="How many times as wide and high; the model's own when absent.",
        json_schema_extra={"unit": "times"},
    )
    steps: int = Field(
        20,
        ge=1,
        le=150,
        description="Denoising steps: more is slower, up to a point better.",
        json_schema_extra={"unit": "steps"},
    )
    guidance: float = Field(
        0.0, ge=0, le=30, description="How strongly the prompt steers; 1 or less switches it off."
    )
    noise_level: int = Field(
        20,
        ge=0,
        le=350,
        description="Noise laid over what is given: more lets the model invent more detail. Not all models "
        "have it.",
    )
    scheduler: Scheduler | None = Field(None, description="The sampling method; the model's own when absent.")
    format: Literal["png", "webp", "jpeg", "mp4", "webm"] | None = Field(
        None, description="File format, of a picture or of a video; png or mp4 when absent."
    )

    @model_validator(mode="before")
    @classmethod
    def _choose_format(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and raw.get("format") is None:
            return {**raw, "format": "png" if raw.get("video") is None else "mp4"}
        return raw

    @model_validator(mode="after")
    def _one_thing(self) -> "Upscale":
        if (self.image is None) == (self.video is None):
            raise disagree("image", "give either a picture or a video")
        if (self.format in ("mp4", "webm")) != (self.video is not None):
            raise disagree("format", f"{self.format} is not for {'pictures' if self.image else 'videos'}")
        return self

    def cost(self) -> float:
        """Pictures × steps × outputs."""
        return float(self.n * self.steps * (1 if self.image else VIDEO_AS_PICTURES))

    def gives(self) -> Media:
        """What it was given."""
        return "image" if self.image else "video"
