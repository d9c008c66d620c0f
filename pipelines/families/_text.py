"""Streaming text: whole characters out of tokens, and an end at stop texts. Needs no torch."""

from collections.abc import Sequence
from typing import Any

CONTEXT = 6
"""Tokens of the prompt that are decoded with the first new ones: whether a word begins with a space is
decided by what stands before it."""

UNFINISHED = "\ufffd"
"""What a decoder writes for bytes that are not a whole character yet."""


class Detokenizer:
    """Tokens to text, piece by piece, never in the middle of a character."""

    def __init__(self, tokenizer: Any, prompt: Sequence[int]) -> None:
        self.tokenizer = tokenizer
        self.told = list(prompt[-CONTEXT:])
        """The last tokens whose text is given away."""
        self.pending: list[int] = []
        """Tokens after them whose text is not."""

    def push(self, token: int) -> str:
        """The text that is certain now; empty while a character is incomplete."""
        self.pending.append(token)
        text = self._new_text()
        if text.endswith(UNFINISHED):
            return ""
        self.told, self.pending = self.pending, []
        return text

    def rest(self) -> str:
        """What is left at the end, without the half of a character."""
        return self._new_text().rstrip(UNFINISHED) if self.pending else ""

    def _new_text(self) -> str:
        return self._decode(self.told + self.pending)[len(self._decode(self.told)) :]

    def _decode(self, ids: list[int]) -> str:
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


class StopFinder:
    """Passes text on until one of the stop texts appears, holding back what may become one."""

    def __init__(self, stop: Sequence[str]) -> None:
        self.stop = list(stop)
        self.held = ""
        self.found = False

    def push(self, piece: str) -> str:
        """The text that is certainly before a stop text."""
        if self.found:
            return ""
        text = self.held + piece
        places = [place for place in map(text.find, self.stop) if place >= 0]
        if places:
            self.found, self.held = True, ""
            return text[: min(places)]
        keep = max((_overlap(text, word) for word in self.stop), default=0)
        self.held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def rest(self) -> str:
        """What was held back and has not become a stop text."""
        rest, self.held = self.held, ""
        return rest


FENCE = "```"


class Unfencer:
    """Passes on what stands inside a Markdown code block where the text begins with one, else the text."""

    def __init__(self) -> None:
        self._begun = ""
        """The text while it is not certain whether it begins with a block."""
        self._inside: StopFinder | None = None

    @property
    def found(self) -> bool:
        """Whether the block has been closed."""
        return self._inside is not None and self._inside.found

    def push(self, piece: str) -> str:
        """The text that is certainly wanted."""
        if self._inside is not None:
            return self._inside.push(piece)
        self._begun += piece
        begun = self._begun.lstrip()
        if FENCE.startswith(begun[: len(FENCE)]) and "\n" not in begun:
            return ""
        fenced = begun.startswith(FENCE)
        self._inside = StopFinder([f"\n{FENCE}"] if fenced else [])
        return self._inside.push(begun.partition("\n")[2] if fenced else self._begun)

    def rest(self) -> str:
        """What was held back."""
        return self._begun if self._inside is None else self._inside.rest()


def _overlap(text: str, word: str) -> int:
    """Length of the longest end of `text` that begins `word` without being all of it."""
    return next((size for size in range(len(word) - 1, 0, -1) if text.endswith(word[:size])), 0)
