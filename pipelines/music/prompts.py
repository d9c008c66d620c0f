"""What the words of a prompt ask for: `a slow sad waltz for flute and cello in D minor`.

`prompts.toml` says which words mean what.
"""

import re
import tomllib
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pipelines.music.instruments import NAMES

Meaning = TypeVar("Meaning")

Range = tuple[float, float]
"""Slowest and fastest tempo, in quarter notes a minute."""

SLOWEST, FASTEST = 30.0, 300.0
"""Tempos beyond these are numbers of something else."""


@dataclass(frozen=True)
class Heard:
    """What a prompt says; None, or nothing, where it does not."""

    key: str | None = None
    """Such as `Eb major`."""
    mode: str | None = None
    """`major` or `minor`, also where no key is said."""
    tempo: Range | None = None
    metre: str | None = None
    mood: str | None = None
    instruments: tuple[str, ...] = ()
    """Names of `instruments.NAMES`, each once, as they come."""
    without: tuple[str, ...] = ()
    """Those that it does not want."""
    unknown: tuple[str, ...] = ()
    """Instruments that it asks for and that nobody plays here."""


_WORDS: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def _meanings(table: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Each word's meaning; the meanings are words, too."""
    return {word: meaning for meaning, words in table.items() for word in (meaning, *words)}


INSTRUMENT_WORDS = _meanings(_WORDS["instruments"])
UNKNOWN_WORDS: tuple[str, ...] = tuple(_WORDS["unknown"])
MOOD_WORDS = _meanings(_WORDS["moods"])
METRE_WORDS = {word: metre for metre, words in _WORDS["metres"].items() for word in words}
TEMPO_WORDS: dict[str, Range] = {
    word: (float(row["range"][0]), float(row["range"][1]))
    for row in _WORDS["tempos"]
    for word in row["words"]
}

_NOT = r"(?:(?P<no>not|no|without|never|nor|minus)\s+(?:(?:an?|any|the|too|very|so)\s+)?)?"
_AND = re.compile(r"\s*(?:,|,?\s*(?:and|or|nor|&|\+))\s*(?:(?:an?|any|the)\s+)?")

_TONIC = r"(?P<tonic>[A-Ga-g])(?:\s*(?P<sign>#|♯|♭|b(?![a-z])|[\s-]sharp|[\s-]flat))?"
_KEY = re.compile(
    rf"(?<![\w/])(?P<before>in\s+|key\s+of\s+|key:\s*)?{_TONIC}[\s-]+(?P<mode>maj|min)(?:or)?\b"
    r"(?!\s+(?:keys?|chords?|scales?|modes?|moods?|seconds?|thirds?|sixths?|sevenths?)\b)"
)
_BARE_KEY = re.compile(
    r"\b(?:[Ii]n|[Kk]ey of|[Kk]ey:)\s+(?P<tonic>[A-G])(?P<sign>#|♯|♭|b|[\s-]sharp|[\s-]flat)?(?P<short>m)?"
    r"(?=\s*(?:[.,;:!?)]|$|(?:and|with|for|at)\b))"
)
_MODE = re.compile(
    r"\b(major|minor)\s+(?:key|mode|scale|tonality)|\bin\s+(?:a\s+)?(major|minor)\b", re.IGNORECASE
)
_BEATS = re.compile(r"\b(\d{2,3}(?:\.\d+)?)\s*-?\s*(?:bpm\b|beats\s+(?:per|a)\s+minute)", re.IGNORECASE)
_TEMPO = re.compile(r"\btempo\s*(?:of|:|=)?\s*(\d{2,3}(?:\.\d+)?)\b", re.IGNORECASE)
_METRE = re.compile(r"(?<![\d/])(\d{1,2}/(?:2|4|8|16))(?![\d/])")

_SPELLED = {"Cb": "B", "Fb": "E", "E#": "F", "B#": "C", "D#": "Eb", "A#": "Bb"}
_SPELLED_AS = {
    "major": {**_SPELLED, "C#": "Db", "G#": "Ab", "Gb": "F#"},
    "minor": {**_SPELLED, "Db": "C#", "Ab": "G#", "Gb": "F#"},
}
"""Tonics that requests write in another way."""


def hear(prompt: str) -> Heard:
    """What these words ask for. Of two keys, tempos, metres or moods the first counts."""
    key = _key(prompt)
    played = list(_instruments(prompt))
    wanted = dict.fromkeys(name for name, no in played if not no)
    unwanted = dict.fromkeys(name for name, no in played if no)
    return Heard(
        key=key,
        mode=key.split()[1] if key else _mode(prompt),
        tempo=_tempo(prompt),
        metre=_metre(prompt),
        mood=_first(prompt, MOOD_WORDS),
        instruments=tuple(name for name in wanted if name in NAMES and name not in unwanted),
        without=tuple(name for name in unwanted if name in NAMES),
        unknown=tuple(name for name in wanted if name not in NAMES),
    )


def instrument(name: str) -> str | None:
    """The instrument that is called so; None where nobody plays it here."""
    word = _singular(name, INSTRUMENT_WORDS)
    return INSTRUMENT_WORDS[word] if word else None


def spelled(tonic: str, mode: str) -> str:
    """A key by the name that requests have for it."""
    return f"{_SPELLED_AS[mode].get(tonic, tonic)} {mode}"


def _key(prompt: str) -> str | None:
    for found in _KEY.finditer(prompt):
        article = found["tonic"] in "Aa" and not found["sign"] and not found["before"]
        if article and (found["tonic"] == "a" or found.start() == 0):
            continue  # "a minor incident", "A major work"
        return spelled(_tonic(found), f"{found['mode']}or")
    if bare := _BARE_KEY.search(prompt):
        return spelled(_tonic(bare), "minor" if bare["short"] else "major")
    return None


def _tonic(found: re.Match[str]) -> str:
    sign = (found["sign"] or "").strip(" -").lower()
    return found["tonic"].upper() + {"♯": "#", "sharp": "#", "♭": "b", "flat": "b"}.get(sign, sign)


def _mode(prompt: str) -> str | None:
    found = _MODE.search(prompt)
    return (found[1] or found[2]).lower() if found else None


def _tempo(prompt: str) -> Range | None:
    found = _BEATS.search(prompt) or _TEMPO.search(prompt)
    if found and SLOWEST <= (beats := float(found[1])) <= FASTEST:
        return beats, beats
    return _first(prompt, TEMPO_WORDS)


def _metre(prompt: str) -> str | None:
    found = _METRE.search(prompt)
    return found[1] if found else _first(prompt, METRE_WORDS)


def _first(prompt: str, meanings: Mapping[str, Meaning]) -> Meaning | None:
    return next((meaning for meaning, no in _found(prompt, meanings) if not no), None)


def _instruments(prompt: str) -> Iterator[tuple[str, bool]]:
    """Each instrument that is named, known or not, and whether it is not wanted."""
    names = dict(zip(UNKNOWN_WORDS, UNKNOWN_WORDS, strict=True)) | INSTRUMENT_WORDS
    yield from _found(prompt, names, lists=True)


def _found(
    prompt: str, meanings: Mapping[str, Meaning], *, lists: bool = False
) -> Iterator[tuple[Meaning, bool]]:
    """What each of these words in the prompt means, and whether a `no` or `without` stands before it; in
    `lists` that goes for what is joined to it by `and` or `or`, too.
    """
    ends, no = 0, False
    for match in _pattern(tuple(meanings)).finditer(prompt):
        joined = lists and no and _AND.fullmatch(prompt, ends, match.start())
        ends, no = match.end(), bool(match["no"] or joined)
        if word := _singular(match["word"], meanings):
            yield meanings[word], no


def _singular(word: str, known: Container[str]) -> str | None:
    """The one of `known` that this is, or is the plural of."""
    plain = " ".join(word.lower().split())
    return next(
        (one for one in (plain, plain.removesuffix("s"), plain.removesuffix("es")) if one in known), None
    )


@cache
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Any of these, the longest first, or its plural, and the `no` before it."""
    longest_first = sorted(words, key=len, reverse=True)
    either = "|".join(r"\s+".join(map(re.escape, word.split())) for word in longest_first)
    return re.compile(rf"(?<![\w-]){_NOT}(?P<word>(?:{either})(?:e?s)?)(?![\w-])", re.IGNORECASE)
