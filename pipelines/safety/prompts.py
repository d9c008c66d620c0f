"""The prompt filter: which categories a text belongs to, by the list in `words.toml`."""

import re
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipelines.errors import Problem, PromptBlocked
from pipelines.safety.policy import CATEGORIES, MINORS, Policy, Verdict
from pipelines.safety.spelling import plain, readings

LIST = Path(__file__).with_name("words.toml")

NEAR = 300
"""Characters between a young person and something sexual that make both one matter."""

PIECE, OVERLAP = 5_000, 500
"""Characters of a text that are read at once, and of those that are read again with the next."""

NO_WORD_BOUNDARIES = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Scripts that write words without spaces: kana, Chinese characters, Hangul."""

SAID = ("prompt", "lyrics", "instruments", "messages", "prefix", "suffix")
"""The fields that say what to make. A negative prompt says what not to."""


@dataclass(frozen=True)
class WordList:
    """The list, as expressions over plain text."""

    benign: re.Pattern[str]
    categories: Mapping[str, re.Pattern[str]]
    """Enough alone."""
    young: re.Pattern[str]
    sexual: re.Pattern[str]
    """What must not be near someone young."""
    any_of_them: re.Pattern[str]
    """Any of `categories`, or someone young: most texts have nothing of all that, and are read once."""

    def found_in(self, reading: str) -> set[str]:
        """The categories of one reading of a text."""
        text = self.benign.sub(" ", reading)
        if not self.any_of_them.search(text):
            return set()
        found = {name for name, words in self.categories.items() if words.search(text)}
        if MINORS not in found and self._young_and_sexual(text):
            found.add(MINORS)
        return found

    def _young_and_sexual(self, text: str) -> bool:
        young = [match.start() for match in self.young.finditer(text)]
        if not young:
            return False
        sexual = [match.start() for match in self.sexual.finditer(text)]
        return any(abs(one - other) <= NEAR for one in young for other in sexual)


def categories_in(text: str) -> tuple[str, ...]:
    """The categories that a text belongs to, in the order of `CATEGORIES`."""
    listed = word_list()
    text = plain(text)  # before it is cut: what is invisible must not fill a piece
    found: set[str] = set()
    for start in range(0, max(len(text) - OVERLAP, 1), PIECE):
        for reading in readings(text[start : start + PIECE + OVERLAP]):
            found |= listed.found_in(reading)
        if start + PIECE + OVERLAP < len(text):
            time.sleep(0)  # lets a server's other requests go on: a long text takes a tenth of a second
    return tuple(name for name in CATEGORIES if name in found)


def check_prompt(inputs: Any, policy: Policy) -> Verdict:
    """What follows from a request's words; raises PromptBlocked. A prompt that is not known yet, because
    another job writes it, is checked once it is.
    """
    found = _found_in(list(texts_of(inputs)))
    verdict = policy.judge(list(dict.fromkeys(name for _, names in found for name in names)))
    if verdict.blocked:
        raise PromptBlocked(
            [
                Problem(f"/inputs/{place}", f"is refused for: {name}")
                for place, names in found
                for name in names
                if name in verdict.blocked
            ],
            verdict.blocked,
        )
    return verdict


def _found_in(texts: Sequence[tuple[str, str]]) -> list[tuple[str, tuple[str, ...]]]:
    """The categories of each text, and with the last one those that only all of them together have."""
    found = [(place, categories_in(text)) for place, text in texts]
    if len(texts) > 1:
        known = {name for _, names in found for name in names}
        together = categories_in("\n".join(text for _, text in texts))
        place, names = found[-1]
        found[-1] = (place, (*names, *(name for name in together if name not in known)))
    return found


def texts_of(inputs: Any) -> Iterator[tuple[str, str]]:
    """The words of a request, by their place in the inputs."""
    for field in SAID:
        value = getattr(inputs, field, None)
        if isinstance(value, str) and value:
            yield field, value
        elif isinstance(value, list | tuple):
            for place, item in enumerate(value):
                content = getattr(item, "content", None)
                yield (f"{field}/{place}", item) if content is None else (f"{field}/{place}/content", content)


@cache
def word_list() -> WordList:
    """The list of `words.toml`, compiled once."""
    listed = tomllib.loads(LIST.read_text(encoding="utf-8"))
    sexual = listed["sexual"]["words"]
    alone = {name: [*listed[name].get("words", ()), *listed[name].get("anatomy", ())] for name in CATEGORIES}
    categories = {name: _any(words, listed[name].get("patterns", ())) for name, words in alone.items()}
    young = _any(listed[MINORS]["persons"], listed[MINORS]["ages"])
    return WordList(
        benign=_any(listed["benign"]),
        categories=categories,
        young=young,
        any_of_them=re.compile("|".join(words.pattern for words in (*categories.values(), young))),
        sexual=_any([*sexual, *listed["suggestive"]["words"]]),
    )


def _any(words: Sequence[str], patterns: Sequence[str] = ()) -> re.Pattern[str]:
    """Any of these words and patterns as whole words."""
    bound = [_letters(word) for word in words if not NO_WORD_BOUNDARIES.search(word)]
    loose = [re.escape(plain(word)) for word in words if NO_WORD_BOUNDARIES.search(word)]
    whole = rf"(?<![^\W_])(?:{'|'.join([*([_branches(bound)] if bound else []), *patterns])})(?![^\W_])"
    return re.compile("|".join([whole, *loose]))


def _letters(word: str) -> list[str]:
    """The expressions for the letters of a word of the list, one after the other."""
    meaning = {"*": r"[^\W\d_]*", " ": r"[\s\-]+"}
    return [meaning.get(char) or re.escape(char) for char in word]


def _branches(words: Sequence[Sequence[str]]) -> str:
    """One expression for all the words, branching where their letters part: so a text is read in one go,
    however long the list is. The longest of two words goes first.
    """
    branches: dict[str, list[Sequence[str]]] = {}
    for word in words:
        if word:
            branches.setdefault(word[0], []).append(word[1:])
    told = [letter + _branches(rest) for letter, rest in branches.items()]
    told += [""] if any(not word for word in words) else []
    return told[0] if len(told) == 1 else f"(?:{'|'.join(told)})"
