"""Z-Image and Z-Image-Turbo."""

from typing import Any, ClassVar

from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    ZImageImg2ImgPipeline,
    ZImageInpaintPipeline,
    ZImagePipeline,
)

from pipelines.base import Capabilities
from pipelines.families._bucket import Bucket
from pipelines.families._diffusers import NEEDS
from pipelines.families._qwen3 import ReadByQwen3


class ZImage(ReadByQwen3):
    pipelines: ClassVar = {
        "text-to-image": ZImagePipeline,
        "image-to-image": ZImageImg2ImgPipeline,
        "inpaint": ZImageInpaintPipeline,
    }
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(max_batch=8, previews=True, needs=NEEDS)
    # The pipeline hands its steps over in a form that no other scheduler takes.
    schedulers: ClassVar = {"euler": FlowMatchEulerDiscreteScheduler}
    thinking: ClassVar = True

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        """The pipeline guides from above 0 on, where all others do from above 1 on."""
        arguments = super().arguments(pipe, bucket)
        return arguments if bucket.inputs.guidance > 1 else {**arguments, "guidance_scale": 0.0}
