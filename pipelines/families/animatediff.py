"""AnimateDiff: a Stable Diffusion 1.x and layers that set its pictures in motion.

A folder holds both in one, as `AnimateDiffPipeline.save_pretrained` writes it, or each by itself
(`UNet2DConditionModel` and `MotionAdapter`). The latter become a `MotionUNet`; with a `clock` beside them
they may also begin with a picture, and with a `captioner` that picture is named for them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from diffusers import (
    AnimateDiffPipeline,
    AnimateDiffVideoToVideoPipeline,
    MotionAdapter,
    UNet2DConditionModel,
)
from diffusers.pipelines.animatediff.pipeline_animatediff_video2video import retrieve_latents
from diffusers.pipelines.animatediff.pipeline_output import AnimateDiffPipelineOutput
from PIL import Image

from pipelines.base import Capabilities, Request
from pipelines.errors import ModelUnavailable
from pipelines.families import _torch as torch_support
from pipelines.families._bucket import Bucket
from pipelines.families._captioner import Captioner, with_caption
from pipelines.families._diffusers import NEEDS, DiffusersFamily
from pipelines.families._motion_unet import Clock, MotionUNet
from pipelines.families._videos import VideoFamily
from pipelines.media import read_picture
from pipelines.weights import read_json


class AnimateDiffImageToVideoPipeline(AnimateDiffPipeline):
    """Clips whose first frame is a picture: the others are denoised beside it."""

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def __call__(
        self,
        prompt: list[str],
        image: Sequence[Image.Image],
        *,
        width: int,
        height: int,
        num_frames: int = 16,
        num_inference_steps: int = 25,
        guidance_scale: float = 7.5,
        negative_prompt: list[str] | None = None,
        generator: list[torch.Generator] | None = None,
        output_type: str = "np",
        clip_skip: int | None = None,
        decode_chunk_size: int = 16,
    ) -> AnimateDiffPipelineOutput:
        """One picture a prompt; all else as `AnimateDiffPipeline` has it."""
        first = self.encoded(image, width, height)
        with self.unet.beginning(first):
            latents = AnimateDiffPipeline.__call__(
                self,
                prompt,
                num_frames=num_frames,
                height=height,
                width=width,
                num_inference_steps=num_inference_steps,
                guidance_scale=guidance_scale,
                negative_prompt=negative_prompt,
                generator=generator,
                output_type="latent",
                clip_skip=clip_skip,
            ).frames
        latents = torch.cat([first.to(latents), latents[:, :, 1:]], 2)
        frames = self.decode_latents(latents, decode_chunk_size)
        return AnimateDiffPipelineOutput(frames=self.video_processor.postprocess_video(frames, output_type))

    def encoded(self, pictures: Sequence[Image.Image], width: int, height: int) -> torch.Tensor:
        """Latents (rows, channels, 1, height, width)."""
        pixels = self.video_processor.preprocess(list(pictures), height, width)
        pixels = pixels.to(self.vae.device, self.vae.dtype)
        latents = retrieve_latents(self.vae.encode(pixels), sample_mode="argmax")
        return (latents * self.vae.config.scaling_factor).unsqueeze(2)


class AnimateDiff(VideoFamily):
    pipelines: ClassVar = {
        "text-to-video": AnimateDiffPipeline,
        "image-to-video": AnimateDiffImageToVideoPipeline,
        "video-to-video": AnimateDiffVideoToVideoPipeline,
    }
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(max_batch=4, singly=("video-to-video",), previews=True, needs=NEEDS)
    tunable: ClassVar = ("clip_skip", "decode_chunk_size")
    parts: ClassVar = {"feature_extractor": None, "image_encoder": None}
    captioner: Captioner | None = None

    def __init__(self, pipe: Any, **options: Any) -> None:
        if pipe.vae.dtype == torch.float32:  # or each run would turn it into what it is, and warn of that
            pipe.vae.register_to_config(force_upcast=False)
        super().__init__(pipe, **options)

    @classmethod
    def load(cls, weights: Path, device: str, dtype: str, **options: Any) -> Self:
        made = super().load(weights, device, dtype, **options)
        if (weights / "captioner").is_dir():
            with torch_support.load_errors_translated(weights):
                made.captioner = Captioner.load(weights / "captioner", made.pipe.unet)
        return made

    @classmethod
    def loaded_parts(cls, weights: Path, dtype: torch.dtype) -> dict[str, Any]:
        if read_json(weights / "unet" / "config.json")["_class_name"] != "UNet2DConditionModel":
            return {}
        how = {"dtype": dtype, "use_safetensors": True, "local_files_only": True}
        pictures = UNet2DConditionModel.from_pretrained(weights, subfolder="unet", **how)
        adapter = MotionAdapter.from_pretrained(weights, subfolder="motion_adapter", **how)
        clock = Clock.from_pretrained(weights / "clock", **how) if (weights / "clock").is_dir() else None
        return {"unet": MotionUNet.of(pictures, adapter, clock).eval(), "motion_adapter": None}

    def pipeline(self, kind: str) -> Any:
        if kind == "image-to-video" and getattr(self.pipe.unet, "clock", None) is None:
            raise ModelUnavailable("these weights were not trained to begin with a picture")
        return super().pipeline(kind)

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        arguments = super().arguments(pipe, bucket)
        if bucket.kind == "image-to-video":
            both = zip(arguments["prompt"], arguments["image"], strict=True)
            arguments["prompt"] = [self.named(prompt, picture) for prompt, picture in both]
        return arguments

    def named(self, prompt: str, picture: Image.Image) -> str:
        """The prompt with its picture's caption, if there is one and both are short enough to be read."""
        if self.captioner is None:
            return prompt
        both = with_caption(prompt, self.captioner.caption(picture))
        return both if self.tokens("tokenizer", both) <= self.pipe.tokenizer.model_max_length else prompt

    def facts(self, request: Request) -> Mapping[str, Any]:
        if self.captioner is None or request.kind != "image-to-video":
            return {}
        size = (request.inputs.width, request.inputs.height)
        return {"caption": self.captioner.caption(read_picture(request.files["image"], size))}

    def most_frames(self, pipe: Any) -> int:
        return int(pipe.unet.config.motion_max_seq_length)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return DiffusersFamily.decode(self, latents)  # it decodes pictures, one by one
