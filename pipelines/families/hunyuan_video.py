"""HunyuanVideo: videos from words. Guidance is a number that the model is told: no negative prompt."""

from typing import Any, ClassVar

from diffusers import HunyuanVideoPipeline
from diffusers.pipelines.hunyuan_video.pipeline_hunyuan_video import DEFAULT_PROMPT_TEMPLATE

from pipelines.base import Capabilities, Request
from pipelines.errors import Problem
from pipelines.families._bucket import Bucket
from pipelines.families._diffusers import NEEDS
from pipelines.families._schedulers import FLOW
from pipelines.families._videos import VideoFamily


class HunyuanVideo(VideoFamily):
    pipelines: ClassVar = {"text-to-video": HunyuanVideoPipeline}
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(max_batch=4, previews=True, needs=NEEDS)
    schedulers: ClassVar = FLOW
    readers: ClassVar = {"tokenizer": 256}  # the other one makes a summary of the prompt's beginning

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        arguments = super().arguments(pipe, bucket)
        del arguments["negative_prompt"]
        return arguments

    def tokens(self, reader: str, prompt: str) -> int:
        """Of the prompt within the words that the pipeline puts round it, of which the first are cut off."""
        whole = DEFAULT_PROMPT_TEMPLATE["template"].format(prompt)
        return super().tokens(reader, whole) - int(DEFAULT_PROMPT_TEMPLATE["crop_start"])

    def problems(self, request: Request) -> list[Problem]:
        problems = super().problems(request)
        if request.inputs.negative_prompt:
            problems.append(Problem("/inputs/negative_prompt", "this model takes no negative prompt"))
        return problems

    def multiple(self, pipe: Any) -> int:
        return max(16, int(pipe.vae_scale_factor_spatial * pipe.transformer.config.patch_size))

    def frame_step(self, pipe: Any) -> int:
        return int(pipe.vae_scale_factor_temporal)
