"""What the families that make videos share: the video that is given, the numbers of frames that a model can
make, and what was made."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from PIL import Image

from pipelines.base import Request
from pipelines.errors import EngineError, ModelUnavailable, Problem
from pipelines.families._bucket import Bucket
from pipelines.families._diffusers import DiffusersFamily, takes
from pipelines.families._pixels import as_bytes
from pipelines.loras import Lora
from pipelines.media import read_frames
from pipelines.outputs import Video

NEUTRAL_MOTION = 127
"""The value of `motion` that asks for nothing special."""


class VideoFamily(DiffusersFamily):
    tunable: ClassVar[tuple[str, ...]] = ()
    """Arguments of the pipelines' call that a row may set by its option `call`."""

    def __init__(
        self,
        pipe: Any,
        loras: Mapping[str, Lora] | None = None,
        call: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """`call`: arguments of the pipeline's call, see `tunable`."""
        if strange := set(call or {}) - set(self.tunable):
            known = ", ".join(self.tunable) or "nothing"
            raise ModelUnavailable(f"option call sets {', '.join(sorted(strange))}; it may set: {known}")
        self.call = dict(call or {})
        super().__init__(pipe, loras, **more)

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        arguments = super().arguments(pipe, bucket)
        if takes(pipe, "video"):
            arguments["video"] = self.given(pipe, bucket)
        if takes(pipe, "num_frames"):
            arguments["num_frames"] = bucket.inputs.frames
        return arguments | {name: value for name, value in self.call.items() if takes(pipe, name)}

    def given(self, pipe: Any, bucket: Bucket) -> list[Image.Image]:
        """The first frames of the video that the bucket's only row starts from: as many as are asked for and
        the model can take."""
        (row,) = bucket.rows
        inputs = row.request.inputs
        size = (inputs.width, inputs.height)
        frames = read_frames(row.request.files["video"], size, inputs.frames, inputs.fps)
        step = self.frame_step(pipe)
        return [Image.fromarray(frame) for frame in frames[: (len(frames) - 1) // step * step + 1]]

    def values(self, result: Any, bucket: Bucket) -> Sequence[Any]:
        inputs = bucket.inputs
        made = [Video(as_bytes(frames), inputs.fps) for frames in result.frames]
        if bucket.kind != "video-to-video" and any(len(video.frames) != inputs.frames for video in made):
            raise EngineError(f"the model made {len(made[0].frames)} frames, not {inputs.frames}")
        return made

    def problems(self, request: Request) -> list[Problem]:
        pipe = self.pipeline(request.kind)
        return [*super().problems(request), *self._frames(pipe, request), *self._motion(pipe, request.inputs)]

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Of one frame."""
        vae = self.pipe.vae
        frames = self.denormalised(latents.unsqueeze(2)).to(vae.dtype)
        return vae.decode(frames).sample[:, :, 0]

    # Hooks of video families

    def frame_step(self, pipe: Any) -> int:
        """Videos have a multiple of this many frames, and one more; 1: any number."""
        return 1

    def most_frames(self, pipe: Any) -> int | None:
        """The most frames that it can make; None: as many as fit the device."""
        return None

    def denormalised(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents (rows, channels, frames, height, width) as the autoencoder decodes them."""
        return latents / self.pipe.vae.config.scaling_factor

    # What the check of a request is made of

    def _frames(self, pipe: Any, request: Request) -> list[Problem]:
        frames, step, most = request.inputs.frames, self.frame_step(pipe), self.most_frames(pipe)
        if most and frames > most:
            return [Problem("/inputs/frames", f"this model makes at most {most}")]
        if beyond := (frames - 1) % step:
            if request.kind == "video-to-video":  # `frames` says the most that are taken
                return []
            near = f"{frames - beyond} or {frames - beyond + step}"
            detail = f"must be a multiple of {step} and one more, such as {near}"
            return [Problem("/inputs/frames", detail)]
        return []

    def _motion(self, pipe: Any, inputs: Any) -> list[Problem]:
        if getattr(inputs, "motion", NEUTRAL_MOTION) == NEUTRAL_MOTION or takes(pipe, "motion_bucket_id"):
            return []
        return [Problem("/inputs/motion", "this model cannot be told how much moves")]


def by_mean_and_deviation(latents: torch.Tensor, mean: Any, deviation: Any) -> torch.Tensor:
    """Latents (rows, channels, frames, height, width) that were normalised channel by channel, as before."""
    shape = (1, -1, 1, 1, 1)
    mean, deviation = (torch.as_tensor(each).to(latents).view(shape) for each in (mean, deviation))
    return latents * deviation + mean
