"""What a text model reads: token ids of a prompt, a conversation, or a place in a piece of code. No torch.

What looks like a control token in the caller's words, such as `<|end|>`, is read as plain letters.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from pipelines.errors import EngineError, InvalidInputs, Problem

FENCE = "```"


@dataclass(frozen=True)
class Prompt:
    """What stands before an output, and what ends one beside the model's own end tokens."""

    ids: list[int]
    stop: tuple[str, ...] = ()
    ends: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Infill:
    """How a model is asked for the middle: `before` prefix `between` suffix `after`, or suffix first."""

    before: str
    between: str
    after: str = ""
    suffix_first: bool = False


INFILLS = (
    Infill("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),  # Qwen Coder, CodeGemma
    Infill("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),  # StarCoder, Granite
    Infill("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),  # SantaCoder
    Infill("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),  # DeepSeek Coder
    Infill("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),  # GLM, CodeGeeX
    Infill("▁<PRE>", "▁<SUF>", "▁<MID>"),  # Code Llama
    Infill("[SUFFIX]", "[PREFIX]", suffix_first=True),  # Codestral
)
"""The known spellings."""

CODE_ENDS = (
    *("<|endoftext|>", "<|file_sep|>", "<file_sep>", "<|file_separator|>", "<|repo_name|>"),
    *("<|fim_pad|>", "▁<EOT>"),
)
"""Tokens by which models say that a file, or the middle of one, is done, beside the infill tokens."""


class Prompter:
    """Reads requests for one tokenizer. `template` are variables for its chat template."""

    def __init__(self, tokenizer: Any, template: Mapping[str, Any] | None = None) -> None:
        self._tokenizer = tokenizer
        self._template = dict(template or {})
        self._vocabulary: dict[str, int] = tokenizer.get_vocab()
        self._infill = next((one for one in INFILLS if self._has(one)), None)

    @property
    def chats(self) -> bool:
        """Whether the model comes with a chat template."""
        return bool(self._tokenizer.chat_template)

    @property
    def infills(self) -> bool:
        """Whether the model has tokens for infilling."""
        return self._infill is not None

    def read(self, kind: str, inputs: Any) -> Prompt:
        """The prompt of a request; raises InvalidInputs."""
        match kind:
            case "chat":
                messages = [{"role": one.role, "content": one.content} for one in inputs.messages]
                return Prompt(self._conversation(messages, "/inputs/messages"))
            case "code":
                return self._code(inputs)
            case _:
                return Prompt(self._plain(inputs.prompt, add_special_tokens=True))

    def _plain(self, text: str, add_special_tokens: bool = False) -> list[int]:
        ids: list[int] = self._tokenizer(
            text, add_special_tokens=add_special_tokens, split_special_tokens=True, verbose=False
        ).input_ids
        return ids

    def _conversation(self, messages: list[dict[str, str]], field: str) -> list[int]:
        """The conversation up to where the answer begins, as the model's chat template writes it."""
        if not self.chats:
            raise _invalid(field, "this model has no chat template, so it can neither chat nor be instructed")
        try:
            ids: list[int] = self._tokenizer.apply_chat_template(
                messages,
                add_generation_prompt=True,
                sanitize_control_tokens=True,
                return_dict=False,
                **self._template,
            )
        except TemplateError as error:
            raise _invalid(field, f"the model's chat template refuses this: {error}") from error
        except Exception as error:  # a template is a program of the model's: what it raises is its failure
            raise EngineError(f"The model's chat template failed with {type(error).__name__}.") from error
        return ids

    def _code(self, inputs: Any) -> Prompt:
        if inputs.prompt.strip():
            return self._instructed(inputs)
        if inputs.suffix:
            return self._infilled(inputs)
        return Prompt(self._plain(inputs.prefix, add_special_tokens=True), ends=self._known(CODE_ENDS))

    def _instructed(self, inputs: Any) -> Prompt:
        """The instruction as a message, and the answer begun for the model: a code block, then the prefix.

        So what it makes is code from the first token, and ends with the block.
        """
        opening = f"{FENCE}{inputs.language.strip().lower()}\n"
        words = inputs.prompt
        if inputs.suffix:
            words = f"{words}\n\nRight after your code comes:\n\n{opening}{inputs.suffix}\n{FENCE}"
        ids = self._conversation([{"role": "user", "content": words}], "/inputs/prompt")
        return Prompt(ids + self._plain(opening + inputs.prefix), stop=(f"\n{FENCE}",))

    def _infilled(self, inputs: Any) -> Prompt:
        infill = self._infill
        if infill is None:
            raise _invalid("/inputs/suffix", "this model has no tokens for infilling; leave suffix out")
        parts = [inputs.prefix, inputs.suffix]
        if infill.suffix_first:
            parts.reverse()
        before, between = self._vocabulary[infill.before], self._vocabulary[infill.between]
        ids = [*self._begin(), before, *self._plain(parts[0]), between, *self._plain(parts[1])]
        if infill.after:
            ids.append(self._vocabulary[infill.after])
        return Prompt(ids, ends=self._known((infill.before, infill.between, infill.after, *CODE_ENDS)))

    def _known(self, tokens: Iterable[str]) -> frozenset[int]:
        return frozenset(self._vocabulary[token] for token in tokens if token in self._vocabulary)

    def _begin(self) -> list[int]:
        """What the tokenizer writes before every text."""
        begin = self._tokenizer.bos_token_id
        return [token for token in self._plain("", add_special_tokens=True) if token == begin]

    def _has(self, infill: Infill) -> bool:
        return {infill.before, infill.between, infill.after} - {""} <= self._vocabulary.keys()


def _invalid(field: str, detail: str) -> InvalidInputs:
    return InvalidInputs([Problem(field, detail)])
