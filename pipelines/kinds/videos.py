"""Kinds that make videos."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from pipelines.kinds.base import FileRef, MaybePrompt, Media, disagree
from pipelines.kinds.images import SAMPLE, FromSample, Sampled


class TextToVideo(Sampled):
    """Videos from a description in words."""

    kind = "text-to-video"
    summary = "Videos from a description in words."
    outputs: ClassVar[Media] = "video"
    example: ClassVar = {"prompt": "waves roll onto a beach"}
    batch_fields: ClassVar[tuple[str, ...]] = (
        "width",
        "height",
        "frames",
        "fps",
        "steps",
        "guidance",
        "scheduler",
        "loras",
    )
    cost_unit = "megapixel-steps"

    frames: int = Field(
        25,
        ge=1,
        le=257,
        description="How many pictures it has; many models take only some numbers.",
        json_schema_extra={"unit": "frames"},
    )
    fps: int = Field(
        8,
        ge=1,
        le=60,
        description="How many of them are shown a second.",
        json_schema_extra={"unit": "frames/s"},
    )
    format: Literal["mp4", "webm"] = Field("mp4", description="File format: mp4 is H.264, webm is VP9.")
    extras: list[Literal["gif", "frames"]] = Field(
        [],
        max_length=2,
        description="What to make besides: gif is a small moving picture, frames a ZIP of PNG files.",
    )

    @model_validator(mode="after")
    def _each_extra_once(self) -> "TextToVideo":
        if len(set(self.extras)) < len(self.extras):
            raise disagree("extras", "must name each thing once")
        return self

    def cost(self) -> float:
        """Megapixels × frames × steps × outputs."""
        return self.n * self.steps * self.frames * self.width * self.height / 1e6


class ImageToVideo(TextToVideo):
    """Videos that begin with a picture."""

    kind = "image-to-video"
    summary = "Videos that set a picture in motion."
    media: ClassVar = {"image": "image"}
    example: ClassVar = {"prompt": "the lighthouse begins to shine", "image": SAMPLE}
    batch_fields = (*TextToVideo.batch_fields, "motion")

    prompt: MaybePrompt = Field("", description="What happens in it; may be empty if the model needs none.")
    image: FileRef = Field(
        description="The picture that it begins with. It is scaled until it covers width × height, then cut "
        "to it round its middle; transparent parts become white."
    )
    motion: int = Field(
        127, ge=1, le=255, description="How much moves, 127 as in most videos. Not all models have it."
    )


class VideoToVideo(FromSample, TextToVideo):
    """Videos made from a video and a description in words."""

    kind = "video-to-video"
    summary = "Videos made from a video and a description in words."
    media: ClassVar = {"video": "video"}
    example: ClassVar = {"prompt": "the same in watercolours", "video": SAMPLE}
    batch_fields = (*TextToVideo.batch_fields, "strength")

    video: FileRef = Field(
        description="The video to start from: its first frames, at the fps and size that are asked for. "
        "Frames are scaled until they cover width × height, then cut to it round their middle."
    )
    frames: int = Field(
        25,
        ge=1,
        le=257,
        description="The most frames that are taken from the video.",
        json_schema_extra={"unit": "frames"},
    )

    def cost(self) -> float:
        """As text-to-video, of which only steps × strength are run."""
        return super().cost() * self.strength
