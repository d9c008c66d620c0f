"""What the families that run a diffusers pipeline share. diffusers does the work; here are loading, seeds,
batches, samplers, LoRAs, and the check of what would otherwise be cut, rounded or left out in silence.

A family says which pipeline does which kind, and overrides what is different about it: see the methods that
are marked as hooks.
"""

import inspect
import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from diffusers import AutoencoderTiny
from diffusers.utils import logging as diffusers_logging
from PIL import Image

from pipelines.base import Capabilities, Output, Progress, Request
from pipelines.errors import InvalidInputs, ModelUnavailable, Problem
from pipelines.families import _loras, _schedulers, _speed
from pipelines.families import _torch as torch_support
from pipelines.families._bucket import Bucket, Row
from pipelines.families._pipeline import PipelineRun
from pipelines.families._pixels import as_pictures
from pipelines.families._previews import Previewer
from pipelines.families._run import halving
from pipelines.loras import Lora
from pipelines.seeds import output_seed

diffusers_logging.disable_progress_bar()

NEEDS = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "pillow")


class DiffusersFamily:
    pipelines: ClassVar[Mapping[str, Any]]
    """The pipeline class for each kind. The one that the folder names, else the first, is loaded; the others
    are made of its parts when they are needed."""
    kinds: ClassVar[tuple[str, ...]]
    capabilities: ClassVar[Capabilities]
    schedulers: ClassVar[Mapping[str, Any]] = _schedulers.NOISE
    """What the field `scheduler` may ask for."""
    parts: ClassVar[Mapping[str, Any]] = {}
    """Arguments of `from_pretrained` beside the usual, such as parts that are not loaded."""
    readers: ClassVar[Mapping[str, int | None]] = {"tokenizer": None}
    """The tokenizers that must see a whole prompt, and how many tokens; None: as the tokenizer says."""

    def __init__(
        self,
        pipe: Any,
        loras: Mapping[str, Lora] | None = None,
        *,
        tiling: bool = False,
        channels_last: bool = False,
        compile_blocks: bool = False,
        attention: str = "",
    ) -> None:
        """`tiling`: large outputs are decoded in tiles, which takes far less memory and some time. The other
        options are those of `_speed`."""
        if tiling:
            pipe.vae.enable_tiling()
        if channels_last:
            _speed.use_channels_last(pipe)
        if compile_blocks:
            _speed.compile_blocks(pipe)
        self.attention = attention
        """The kernel of attention that runs take where they can."""
        self.pipe = pipe
        """The pipeline as it was loaded."""
        self.scheduler = pipe.scheduler
        self.loras = loras or {}
        self._pipes = {type(pipe): pipe}
        pipe.set_progress_bar_config(disable=True)
        self.previewer = self._previewer() if self.capabilities.previews else None

    @classmethod
    def load(cls, weights: Path, device: str, dtype: str, **options: Any) -> Self:
        """The pipeline saved in `weights`."""
        _speed.check(options)
        with torch_support.load_errors_translated(weights):
            format_ = torch_support.dtype_of(dtype, device)
            pipe = cls.saved_class(weights).from_pretrained(
                weights,
                dtype=cls.dtypes(format_),
                use_safetensors=True,
                local_files_only=True,
                **cls.parts,
                **cls.loaded_parts(weights, format_),
            )
            return cls(pipe.to(device), **options)

    @classmethod
    def saved_class(cls, weights: Path) -> Any:
        """The class that the folder's `model_index.json` names, where it is one of ours."""
        named = json.loads((weights / "model_index.json").read_text())["_class_name"]
        ours = {each.__name__: each for each in cls.pipelines.values()}
        return ours.get(named) or next(iter(ours.values()))

    def run(self, batch: list[Request], progress: Progress) -> list[list[Output]]:
        """Outputs for each request; all have one `batch_key`.

        Where a batch does not fit the device, it is made in buckets of half the size.
        """
        for request in batch:
            if problems := self.problems(request):
                raise InvalidInputs(problems)
        wanted = getattr(batch[0].inputs, "loras", ())

        def make(largest: int) -> list[list[Output]]:
            with _loras.applied(self.pipe, self.loras, wanted), _kept_format(getattr(self.pipe, "vae", None)):
                return PipelineRun(self, batch, progress, largest).outputs()

        return halving(self.capabilities.most(batch[0].kind), make)

    def pipeline(self, kind: str) -> Any:
        """The pipeline for a kind, which shares all parts with the one that was loaded."""
        wanted = self.pipelines[kind]
        if wanted not in self._pipes:
            known = inspect.signature(wanted.__init__).parameters
            given = {**self.pipe.config, **self.pipe.components}
            try:
                made = wanted(**{name: value for name, value in given.items() if name in known})
            except TypeError as error:
                raise ModelUnavailable(f"these weights do not do {kind}: {error}") from error
            made.set_progress_bar_config(disable=True)
            self._pipes[wanted] = made
        return self._pipes[wanted]

    def sampler(self, wanted: str | None) -> Any:
        """The scheduler that a request asks for, with the settings of the model's own; else that one."""
        return _schedulers.like(self.scheduler, self.schedulers[wanted]) if wanted else self.scheduler

    # Hooks: what a family may say differently

    @classmethod
    def dtypes(cls, dtype: torch.dtype) -> Any:
        """The number format of the parts: one for all, or by part's name (and `default`)."""
        return dtype

    @classmethod
    def loaded_parts(cls, weights: Path, dtype: torch.dtype) -> dict[str, Any]:
        """Parts that are loaded in another way than the folder says."""
        return {}

    def rows(self, number: int, request: Request) -> Iterable[Row]:
        """The rows that make the request's outputs."""
        seed = request.inputs.seed
        return [Row(number, request, index, output_seed(seed, index)) for index in range(request.inputs.n)]

    def alike(self, row: Row) -> Hashable:
        """Rows may share a bucket where this is equal; where padding is heard, for one, by their lengths."""
        return None

    def words(self, inputs: Any, field: str) -> str:
        """What the model's text encoders read for `prompt` or `negative_prompt`."""
        return getattr(inputs, field, "")

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        """What `pipe` is called with."""
        inputs = bucket.inputs
        arguments: dict[str, Any] = {
            "prompt": bucket.each("prompt"),
            "generator": bucket.generators(),
            "num_inference_steps": inputs.steps,
            "guidance_scale": inputs.guidance,
            "output_type": "np",
        }
        if takes(pipe, "negative_prompt"):
            arguments["negative_prompt"] = bucket.each("negative_prompt")
        if takes(pipe, "width"):
            arguments["width"], arguments["height"] = inputs.width, inputs.height
        if "image" in bucket.rows[0].request.files:
            arguments["image"] = bucket.pictures()
        if "mask" in bucket.rows[0].request.files:
            arguments["mask_image"] = bucket.masks()
        if takes(pipe, "strength"):
            arguments["strength"] = inputs.strength
        return arguments

    def values(self, result: Any, bucket: Bucket) -> Sequence[Any]:
        """What was made, row by row, of what `pipe` returned."""
        made = as_pictures(result.images)
        if bucket.kind != "inpaint":
            return made
        # Autoencoders change what they only pass through: where the mask is black, the picture stays itself.
        given = zip(made, bucket.pictures(), bucket.masks(), strict=True)
        return [Image.composite(new, old, mask) for new, old, mask in given]

    def joined(self, rows: Sequence[Row], values: Sequence[Any]) -> Any:
        """One output of what its rows became, in order."""
        (whole,) = values
        return whole

    def facts(self, request: Request) -> Mapping[str, Any]:
        """What is known of a request's outputs beside their values."""
        return {}

    def steps(self, pipe: Any) -> int:
        """How often the running call steps its scheduler."""
        return int(getattr(pipe, "num_timesteps", 0) or len(pipe.scheduler.timesteps))

    def problems(self, request: Request) -> list[Problem]:
        """What in the request this model cannot do as it is asked."""
        pipe, inputs = self.pipeline(request.kind), request.inputs
        return [
            *self._unread(inputs),
            *self._unheard(pipe, inputs),
            *self._unscheduled(pipe, inputs),
            *self._uneven(pipe, inputs),
        ]

    def multiple(self, pipe: Any) -> int:
        """What width and height must be multiples of, in pixels."""
        return 8

    def limits(self) -> Mapping[str, int | None]:
        """`readers`, or what takes their place in the model that was loaded."""
        return self.readers

    def tokens(self, reader: str, prompt: str) -> int:
        """How many tokens the tokenizer called `reader` makes of a prompt."""
        return len(getattr(self.pipe, reader)(prompt, verbose=False).input_ids)

    def spatial(self, latents: torch.Tensor, bucket: Bucket) -> torch.Tensor:
        """Latents as the scheduler has them as (rows, channels, height, width) for previews; of a video,
        those of its middle frame."""
        return latents[:, :, latents.shape[2] // 2] if latents.ndim == 5 else latents

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents (rows, channels, height, width) as colours of −1 to 1, for previews."""
        vae = self.pipe.vae
        shift = getattr(vae.config, "shift_factor", None) or 0
        return vae.decode(latents.to(vae.dtype) / vae.config.scaling_factor + shift).sample

    def channels(self) -> int:
        """How many channels the latents that `decode` takes have."""
        return int(self.pipe.vae.config.latent_channels)

    # What the check of a request is made of

    def _unread(self, inputs: Any) -> list[Problem]:
        """Prompts whose end the model would not see."""
        problems = []
        for reader, limit in self.limits().items():
            most = limit or getattr(self.pipe, reader).model_max_length
            for field in ("prompt", "negative_prompt"):
                tokens = self.tokens(reader, self.words(inputs, field))
                if tokens > most:
                    detail = f"has {tokens} tokens; this model reads at most {most}"
                    problems.append(Problem(f"/inputs/{field}", detail))
        return list(dict.fromkeys(problems))

    def _unheard(self, pipe: Any, inputs: Any) -> list[Problem]:
        """What is asked for and would not be heard."""
        problems = []
        if getattr(inputs, "negative_prompt", "") and not takes(pipe, "negative_prompt"):
            problems.append(Problem("/inputs/negative_prompt", "this model takes no negative prompt"))
        if getattr(inputs, "loras", ()) and not hasattr(pipe, "load_lora_weights"):
            problems.append(Problem("/inputs/loras", "this model takes no LoRAs"))
        return problems

    def _unscheduled(self, pipe: Any, inputs: Any) -> list[Problem]:
        """A sampler that the model does not run with, or not from a picture, or not for so many steps."""
        wanted = getattr(inputs, "scheduler", None)
        if wanted and wanted not in self.schedulers:
            known = ", ".join(self.schedulers) or "its own only"
            return [Problem("/inputs/scheduler", f"does not go with this model; it takes {known}")]
        sampler = self.sampler(wanted)
        starts = hasattr(sampler, "scale_noise") or not hasattr(self.scheduler, "scale_noise")
        if takes(pipe, "strength") and not starts:
            return [Problem("/inputs/scheduler", "does not start from a picture with this model")]
        most = _schedulers.most_steps(sampler)
        if most and (inputs.steps or 0) > most:
            return [Problem("/inputs/steps", f"this sampling method takes at most {most}")]
        return []

    def _uneven(self, pipe: Any, inputs: Any) -> list[Problem]:
        """Sizes that the pipeline would round."""
        step = self.multiple(pipe)
        problems = []
        for field in ("width", "height"):
            size = getattr(inputs, field, 0)
            if below := size % step:
                near = f"{size - below} or {size - below + step}" if size > step else f"{step}"
                problems.append(Problem(f"/inputs/{field}", f"must be a multiple of {step}, such as {near}"))
        return problems

    def _previewer(self) -> Previewer:
        vae, exact = self.pipe.vae, isinstance(self.pipe.vae, AutoencoderTiny)
        dtype = vae.dtype
        try:
            if dtype == torch.float16:  # in which some overflow
                vae.to(torch.float32)
            with torch.inference_mode():
                return Previewer(self.decode, self.channels(), vae.device, exact)
        finally:
            vae.to(dtype)


@contextmanager
def _kept_format(vae: Any) -> Iterator[None]:
    """Pipelines that decode in float32 leave the autoencoder so where the memory does not suffice."""
    before = getattr(vae, "dtype", None)
    try:
        yield
    finally:
        if before is not None and vae.dtype != before:
            vae.to(before)


def takes(pipe: Any, argument: str) -> bool:
    """Whether the pipeline's call has an argument of this name."""
    return argument in inspect.signature(type(pipe).__call__).parameters
