"""Text from any causal language model that transformers knows. All that this family needs is here.

Every output has its own random numbers: noise of the Gumbel distribution is added to the logits and the
largest is taken, which draws a token exactly as often as sampling does. `generate` itself has one global
seed, and would make an output depend on its neighbours.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from pipelines.base import Capabilities, Emit, Output, Request, buckets
from pipelines.errors import EngineError, InvalidInputs, PipelineError, Problem, Stopped
from pipelines.families import _torch as torch_support
from pipelines.families._text import Detokenizer, StopFinder
from pipelines.seeds import output_seed


class CausalLM:
    kinds: ClassVar = ("text",)
    capabilities: ClassVar = Capabilities(
        max_batch=8, serves=("text",), streams=True, needs=("torch", "transformers", "safetensors")
    )

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.ends = _ends(model, tokenizer)
        self.context = getattr(model.config.get_text_config(), "max_position_embeddings", None)

    @classmethod
    def load(cls, weights: Path, device: str, dtype: str) -> "CausalLM":
        with torch_support.load_errors_translated(weights):
            local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
            tokenizer = AutoTokenizer.from_pretrained(weights, **local)
            model = AutoModelForCausalLM.from_pretrained(
                weights, dtype=torch_support.dtype_of(dtype, device), use_safetensors=True, **local
            )
            return cls(model.to(device).eval(), tokenizer)

    def serve(self, requests: Iterable[Request], emit: Emit) -> None:
        """One request after the other; the outputs of a request in buckets."""
        for request in requests:
            try:
                emit.done(request, self._outputs(request, emit))
            except PipelineError as error:
                emit.failed(request, error)

    def _outputs(self, request: Request, emit: Emit) -> list[Output]:
        inputs = request.inputs
        prompt = self._prompt(inputs)
        outputs: list[Output] = []
        for size in buckets(inputs.n, self.capabilities.max_batch):
            lines = [
                Line(self, prompt.tolist(), inputs.stop, index)
                for index in range(len(outputs), len(outputs) + size)
            ]
            seeds = [output_seed(inputs.seed, line.index) for line in lines]
            tell = Tell(request, emit, lines, tokens_before=len(outputs) * inputs.max_tokens)
            self._generate(prompt, inputs, seeds, tell)
            for row, (line, seed) in enumerate(zip(lines, seeds, strict=True)):
                line.finish(request, emit)
                outputs.append(Output(line.index, "text/plain", line.text, seed, bucket=size, row=row))
        return outputs

    def _prompt(self, inputs: Any) -> torch.Tensor:
        """Token ids of the prompt, shape (tokens,); raises InvalidInputs where it leaves no room. What looks
        like a control token in it, such as `<|end|>`, is read as plain letters."""
        read = self.tokenizer(inputs.prompt, return_tensors="pt", split_special_tokens=True, verbose=False)
        ids = read.input_ids[0]
        if self.context is not None and len(ids) + inputs.max_tokens > self.context:
            field = "prompt" if len(ids) >= self.context else "max_tokens"
            detail = (
                f"the prompt's {len(ids)} tokens and max_tokens together are more than "
                f"the {self.context} that this model holds"
            )
            raise InvalidInputs([Problem(f"/inputs/{field}", detail)])
        return ids

    def _generate(self, prompt: torch.Tensor, inputs: Any, seeds: list[int], tell: "Tell") -> None:
        ids = prompt.repeat(len(seeds), 1).to(self.model.device)
        with torch.inference_mode(), torch_support.memory_errors_translated():
            self.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=inputs.max_tokens,
                do_sample=False,
                eos_token_id=sorted(self.ends),
                pad_token_id=min(self.ends),
                logits_processor=_choosers(inputs, seeds),
                stopping_criteria=StoppingCriteriaList([tell]),
            )


class Line:
    """One output while it grows."""

    def __init__(self, family: CausalLM, prompt: list[int], stop: list[str], index: int) -> None:
        self.index = index
        self.ends = family.ends
        self.detokenizer = Detokenizer(family.tokenizer, prompt)
        self.finder = StopFinder(stop)
        self.text = ""
        self.tokens = 0
        self.done = False

    def take(self, token: int, request: Request, emit: Emit) -> None:
        """Add a token, and give away the text that is certain now."""
        self.tokens += 1
        if token in self.ends:
            self.done = True
            return
        self._give(self.finder.push(self.detokenizer.push(token)), request, emit)
        self.done = self.finder.found

    def finish(self, request: Request, emit: Emit) -> None:
        """Give away what was held back: it has turned out to be neither half a character nor a stop text."""
        rest = self.finder.push(self.detokenizer.rest()) + self.finder.rest()
        self._give(rest, request, emit)

    def _give(self, piece: str, request: Request, emit: Emit) -> None:
        if piece:
            self.text += piece
            emit.delta(request, self.index, piece)


class Tell(StoppingCriteria):
    """Called by `generate` after each token: streams it, tells progress, ends rows and the whole."""

    def __init__(self, request: Request, emit: Emit, lines: list[Line], tokens_before: int) -> None:
        self.request, self.emit, self.lines, self.tokens_before = request, emit, lines, tokens_before

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        """Which rows are done, as booleans of shape (rows,); raises Stopped."""
        if self.emit.stopped(self.request):
            raise Stopped
        for line, token in zip(self.lines, input_ids[:, -1].tolist(), strict=True):
            if not line.done:
                line.take(token, self.request, self.emit)
        inputs = self.request.inputs
        made = self.tokens_before + sum(line.tokens for line in self.lines)
        self.emit.progress(self.request, made, inputs.n * inputs.max_tokens)
        return torch.tensor([line.done for line in self.lines], device=input_ids.device)


class AddGumbel(LogitsProcessor):
    """Adds each row's own noise to its logits, so that taking the largest is sampling."""

    def __init__(self, seeds: list[int]) -> None:
        self.generators = [torch_support.seeded(seed) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """`scores` (rows, vocabulary) with noise: −log of exponential numbers is Gumbel-distributed."""
        waits = [torch.empty(scores.shape[1]).exponential_(generator=one) for one in self.generators]
        noise = -torch.stack(waits).clamp_min(torch.finfo(torch.float32).tiny).log()
        return scores.float() + noise.to(scores.device)


def _choosers(inputs: Any, seeds: list[int]) -> LogitsProcessorList:
    """What stands between the logits and taking the largest; nothing at temperature 0."""
    if inputs.temperature == 0:
        return LogitsProcessorList()
    choosers: list[LogitsProcessor] = [TemperatureLogitsWarper(float(inputs.temperature))]
    if inputs.top_p < 1:
        choosers.append(TopPLogitsWarper(float(inputs.top_p)))
    return LogitsProcessorList([*choosers, AddGumbel(seeds)])


def _ends(model: Any, tokenizer: Any) -> set[int]:
    """Ids of the tokens that end an output, as the model and its tokenizer say."""
    stated = model.generation_config.eos_token_id
    ends = set(stated if isinstance(stated, list) else [stated]) | {tokenizer.eos_token_id}
    ends.discard(None)
    if not ends:
        raise EngineError("neither the model nor its tokenizer says which token ends a text")
    return ends
