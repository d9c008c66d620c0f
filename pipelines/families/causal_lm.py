"""Text, conversations and code from any causal language model that transformers knows.

How a request is read is in `_prompts`, how tokens are made in `_decoder`.
"""

import inspect
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from transformers import AutoModelForCausalLM, AutoTokenizer

from pipelines.base import Capabilities, Emit, Request
from pipelines.errors import EngineError, InvalidInputs, ModelUnavailable, PipelineError, Problem
from pipelines.families import _torch as torch_support
from pipelines.families._code import code_facts, whole_parses
from pipelines.families._decoder import Decoder
from pipelines.families._lines import Line, Work
from pipelines.families._prompts import Prompt, Prompter
from pipelines.families._text import Detokenizer
from pipelines.outputs import Facts

NEEDED = {"input_ids", "attention_mask", "past_key_values"}
"""What a model must take so that it can go on from where it was, with padding beside it."""

MOST_LINES = 256
MOST_TIMES = 16

FIELDS = {"text": "prompt", "chat": "messages", "code": "prefix"}
"""The field of each kind that is most of its prompt."""


class CausalLM:
    kinds: ClassVar = ("text", "chat", "code")
    capabilities: ClassVar = Capabilities(
        max_batch=8,
        serves=("text", "chat", "code"),
        streams=True,
        needs=("torch", "transformers", "safetensors", "jinja2"),
    )

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        template: Mapping[str, Any] | None = None,
        lines: int = 8,
        resample: int = 0,
    ) -> None:
        self.model, self.tokenizer, self.lines, self.resample = model, tokenizer, lines, resample
        self.prompter = Prompter(tokenizer, template)
        self.ends = _ends(model, tokenizer)
        self.context = getattr(model.config.get_text_config(), "max_position_embeddings", None)

    @classmethod
    def load(
        cls,
        weights: Path,
        device: str,
        dtype: str,
        *,
        template: Mapping[str, Any] | None = None,
        lines: int = 8,
        resample: int = 0,
    ) -> "CausalLM":
        """`template`: variables for the chat template, such as `{enable_thinking = false}`; `lines`: the
        most outputs computed at once; `resample`: how often code that does not parse is written anew."""
        if type(lines) is not int or not 1 <= lines <= MOST_LINES:
            raise ModelUnavailable(f"option lines must be a whole number from 1 to {MOST_LINES}")
        if type(resample) is not int or not 0 <= resample <= MOST_TIMES:
            raise ModelUnavailable(f"option resample must be a whole number from 0 to {MOST_TIMES}")
        if not isinstance(template or {}, Mapping):
            raise ModelUnavailable("option template must be a table")
        with torch_support.load_errors_translated(weights):
            local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
            tokenizer = AutoTokenizer.from_pretrained(weights, **local)
            model = AutoModelForCausalLM.from_pretrained(
                weights, dtype=torch_support.dtype_of(dtype, device), use_safetensors=True, **local
            )
            if missing := NEEDED - inspect.signature(model.forward).parameters.keys():
                raise ModelUnavailable(f"this architecture does not take {', '.join(sorted(missing))}")
            return cls(model.to(device).eval(), tokenizer, template, lines, resample)

    def serve(self, requests: Iterable[Request | None], emit: Emit) -> None:
        """Requests join while others run; `None` says that none has come since."""
        decoder = Decoder(self.model, self.lines)
        for request in requests:
            if request is not None:
                self._begin(request, decoder, emit)
            self._tick(decoder, emit)
        while decoder.busy:
            self._tick(decoder, emit)

    def _begin(self, request: Request, decoder: Decoder, emit: Emit) -> None:
        try:
            prompt = self.prompter.read(request.kind, request.inputs)
            self._check_length(prompt, request)
        except PipelineError as error:
            emit.failed(request, error)
        else:
            detokenizer = partial(Detokenizer, self.tokenizer, prompt.ids)
            decoder.add(Work(request, prompt, self.ends, detokenizer, held=self._may_resample(request)))

    def _may_resample(self, request: Request) -> bool:
        """Whether what does not parse is written anew: by chance, so not at temperature 0."""
        return self.resample > 0 and request.kind == "code" and request.inputs.temperature > 0

    def _tick(self, decoder: Decoder, emit: Emit) -> None:
        for work in decoder.tick(emit):
            if broken := [line for line in work.lines if self._is_to_be_anew(line)]:
                for line in broken:
                    line.begin_again()
                decoder.add_lines(work, broken)
                continue
            for line in work.lines:
                line.release(emit)
            emit.done(work.request, work.outputs(_facts))

    def _is_to_be_anew(self, line: Line) -> bool:
        if not line.held or line.again >= self.resample:
            return False
        return whole_parses(line.work.request.inputs, line.text) is False

    def _check_length(self, prompt: Prompt, request: Request) -> None:
        size, most = len(prompt.ids), request.inputs.max_tokens
        if not size:
            raise InvalidInputs([Problem(f"/inputs/{FIELDS[request.kind]}", "is no token for this model")])
        if self.context is not None and size + most > self.context:
            field = FIELDS[request.kind] if size >= self.context else "max_tokens"
            detail = (
                f"the prompt's {size} tokens and max_tokens together are more than "
                f"the {self.context} that this model holds"
            )
            raise InvalidInputs([Problem(f"/inputs/{field}", detail)])


def _facts(line: Line) -> Facts:
    """What an artifact says of the text beside the text."""
    facts: dict[str, str | int | bool] = {"finish_reason": line.finish, "tokens": line.made}
    if line.held:
        facts["resampled"] = line.again
    return facts | (
        code_facts(line.work.request.inputs, line.text) if line.work.request.kind == "code" else {}
    )


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    """Ids of the tokens that end an output, as the model and its tokenizer say."""
    stated = model.generation_config.eos_token_id
    ends = set(stated if isinstance(stated, list) else [stated]) | {tokenizer.eos_token_id}
    ends.discard(None)
    if not ends:
        raise EngineError("neither the model nor its tokenizer says which token ends a text")
    return frozenset(ends)
