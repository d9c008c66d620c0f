"""A grammar that both speaks and reads: one set of rules composes texts and, as a parser, judges them.

Rules are written as phrases: `once there was a~ [small|old|] {hero.word}.` where `[a|b|]` is a choice (an
empty one says nothing), `<name>` another rule, `{role.form}` a word of the lexicon for what that role is in
this text, `{role=key}` says nothing and holds that the role is this key, and `a~` is "a" or "an", as the next
word needs. A definite clause grammar (Pereira and Warren, 1980): reading binds roles, and a role bound twice
must be bound to the same key, so a text in which a boat was red and is then blue is not in the language.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

Facts = dict[str, str]
"""What each role is: `{"hero": "fox", "colour": "red"}`."""

Lexicon = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Role, key, form: the phrase."""

TOKEN = re.compile(r"[A-Za-z][A-Za-z'-]*|\d+|\n+|[^\sA-Za-z0-9]")
PIECE = re.compile(r"\{[^}]*\}|<[^>]*>|[\[\]|]|a~|[A-Za-z][A-Za-z'-]*|\d+|\n+|[^\sA-Za-z0-9]")
CLOSE = frozenset(".,!?:;")
QUOTES = frozenset('"')
ARTICLES = frozenset(["a~"])  # an article that is not chosen yet
ENDS = frozenset(".!?")


class Part:
    """A piece of a rule: what it says of facts, and the ends up to which it reads tokens from a place on."""

    def can(self, facts: Facts) -> bool:
        """Whether it can be said of these facts."""
        raise NotImplementedError

    def say(self, facts: Facts, dice: random.Random) -> list[str]:
        """Its tokens; draws where there is a choice."""
        raise NotImplementedError

    def read(self, tokens: Sequence[str], at: int, facts: Facts) -> Iterator[tuple[int, Facts]]:
        """(the place after it, the facts with what it told) for each way of reading it."""
        raise NotImplementedError


@dataclass(frozen=True)
class Word(Part):
    token: str

    def can(self, facts: Facts) -> bool:
        return True

    def say(self, facts: Facts, dice: random.Random) -> list[str]:
        return [self.token]

    def read(self, tokens: Sequence[str], at: int, facts: Facts) -> Iterator[tuple[int, Facts]]:
        if at < len(tokens) and tokens[at] == self.token:
            yield at + 1, facts


class Article(Word):
    """ "a" or "an"; when it is said, `joined` decides, and when it is read, the next word does."""

    def __init__(self) -> None:
        super().__init__("a~")

    def read(self, tokens: Sequence[str], at: int, facts: Facts) -> Iterator[tuple[int, Facts]]:
        if at + 1 < len(tokens) and tokens[at] == article(tokens[at + 1]):
            yield at + 1, facts


@dataclass(frozen=True)
class Series(Part):
    parts: tuple[Part, ...]

    def can(self, facts: Facts) -> bool:
        return all(part.can(facts) for part in self.parts)

    def say(self, facts: Facts, dice: random.Random) -> list[str]:
        return [token for part in self.parts for token in part.say(facts, dice)]

    def read(self, tokens: Sequence[str], at: int, facts: Facts) -> Iterator[tuple[int, Facts]]:
        yield from self._from(0, tokens, at, facts)

    def _from(self, part: int, tokens: Sequence[str], at: int, facts: Facts) -> Iterator[tuple[int, Facts]]:
        if part == len(self.parts):
            yield at, facts
            return
        for after, told in self.parts[part].read(tokens, at, facts):
            yield from self._from(part + 1, tokens, after, told)


@dataclass(frozen=True)
class Choice(Part):
    options: tuple[Part, ...]

    def can(self, facts: Facts) -> bool:
        return any(option.can(facts) for option in self.options)

    def say(self, facts: Facts, dice: random.Random) -> list[str]:
        return dice.choice([option for option in self.options if option.can(facts)]).say(facts, dice)

    def read(self, tokens: Sequence[str], at: int, facts: Facts) -> Iterator[tuple[int, Facts]]:
        for option in self.options:
            yield from option.read(tokens, at, facts)


@dataclass(frozen=True)
class Bound(Part):
    """Says nothing; holds that a role is a key."""

    role: str
    key: str

    def can(self, facts: Facts) -> bool:
        return facts.get(self.role) == self.key

    def say(self, facts: Facts, dice: random.Random) -> list[str]:
        return []

    def read(self, tokens: Sequence[str], at: int, facts: Facts) -> Iterator[tuple[int, Facts]]:
        if facts.get(self.role, self.key) == self.key:
            yield at, facts | {self.role: self.key}


class Slot(Part):
    """A form of whatever a role is."""

    def __init__(self, role: str, forms: Mapping[str, Part]) -> None:
        self.role, self.forms = role, forms

    def can(self, facts: Facts) -> bool:
        key = facts.get(self.role)
        return key in self.forms and self.forms[key].can(facts)

    def say(self, facts: Facts, dice: random.Random) -> list[str]:
        return self.forms[facts[self.role]].say(facts, dice)

    def read(self, tokens: Sequence[str], at: int, facts: Facts) -> Iterator[tuple[int, Facts]]:
        known = facts.get(self.role)
        keys = self.forms if known is None else {known} & self.forms.keys()
        for key in keys:
            yield from self.forms[key].read(tokens, at, facts | {self.role: key})


class Rule(Part):
    """Another rule of the grammar, by its name."""

    def __init__(self, grammar: Grammar, name: str) -> None:
        self.grammar, self.name = grammar, name

    def can(self, facts: Facts) -> bool:
        return self.grammar.part(self.name).can(facts)

    def say(self, facts: Facts, dice: random.Random) -> list[str]:
        return self.grammar.part(self.name).say(facts, dice)

    def read(self, tokens: Sequence[str], at: int, facts: Facts) -> Iterator[tuple[int, Facts]]:
        yield from self.grammar.part(self.name).read(tokens, at, facts)


class Grammar:
    """Rules and a lexicon. `names` are words that keep their capital letter."""

    def __init__(
        self, rules: Mapping[str, str], lexicon: Lexicon, names: frozenset[str] = frozenset()
    ) -> None:
        self.rules, self.lexicon, self.names = rules, lexicon, names | {"I"}
        self._parts: dict[str, Part] = {}
        self._slots: dict[str, Slot] = {}

    def say(self, rule: str, facts: Facts, dice: random.Random) -> str:
        """A text of this rule about these facts."""
        return joined(self.part(rule).say(facts, dice))

    def read(self, rule: str, text: str, facts: Facts | None = None) -> Facts | None:
        """What a text of this rule tells, with what was known before; None when it cannot be read so."""
        tokens = self.tokens(text)
        if tokens is None:
            return None
        readings = self.part(rule).read(tokens, 0, facts or {})
        return next((told for end, told in readings if end == len(tokens)), None)

    def covers(self, text: str, rules: Sequence[str]) -> bool:
        """Whether a text is a row of such texts, each with facts of its own."""
        tokens = self.tokens(text) or []
        reached, open_ends = set(), [0]
        while open_ends:
            at = open_ends.pop()
            ends = {end for rule in rules for end, _ in self.part(rule).read(tokens, at, {})}
            open_ends += ends - reached
            reached |= ends
        return bool(tokens) and len(tokens) in reached

    def tokens(self, text: str) -> list[str] | None:
        """Words and marks, sentence beginnings in small letters; None where capitals or spaces are wrong."""
        found = TOKEN.findall(text)
        tokens = [self._small(t) if first else t for t, first in zip(found, beginnings(found), strict=True)]
        return tokens if joined(tokens) == text else None

    def part(self, rule: str) -> Part:
        if rule not in self._parts:
            self._parts[rule] = self._compile(self.rules[rule])
        return self._parts[rule]

    def _small(self, token: str) -> str:
        return token if token in self.names else token[0].lower() + token[1:]

    def _compile(self, phrase: str) -> Part:
        pieces = PIECE.findall(phrase)
        part, end = self._choice(pieces, 0)
        if end != len(pieces):
            raise ValueError(f"A bracket is closed that was not opened: {phrase!r}")
        return part

    def _choice(self, pieces: list[str], at: int) -> tuple[Part, int]:
        options: list[Part] = []
        parts: list[Part] = []
        while at < len(pieces) and pieces[at] != "]":
            if pieces[at] == "|":
                options.append(_series(parts))
                parts = []
            elif pieces[at] == "[":
                part, at = self._choice(pieces, at + 1)
                parts.append(part)
            else:
                parts.append(self._piece(pieces[at]))
            at += 1
        options.append(_series(parts))
        return (options[0] if len(options) == 1 else Choice(tuple(options))), at

    def _piece(self, piece: str) -> Part:
        if piece == "a~":
            return Article()
        if piece[0] == "<" and len(piece) > 1:
            return Rule(self, piece[1:-1])
        if piece[0] == "{" and "=" in piece:
            return Bound(*piece[1:-1].split("="))
        if piece[0] == "{":
            return self._slot(piece[1:-1])
        return Word(piece)

    def _slot(self, name: str) -> Slot:
        if name not in self._slots:
            role, form = name.split(".")
            slot = self._slots[name] = Slot(role, {})
            slot.forms = {
                key: self._compile(forms[form]) for key, forms in self.lexicon[role].items() if form in forms
            }
        return self._slots[name]


def _series(parts: list[Part]) -> Part:
    return parts[0] if len(parts) == 1 else Series(tuple(parts))


def words(text: str) -> tuple[str, ...]:
    """A list of words, written as a text."""
    return tuple(text.split())


@cache
def article(word: str) -> str:
    """The indefinite article before a word."""
    sounds_open = word[0].lower() in "aeiou" and not word.startswith(("uni", "one", "use"))
    return "an" if sounds_open or word.startswith(("hon", "hour")) else "a"


def beginnings(tokens: Sequence[str]) -> list[bool]:
    """Which tokens begin a sentence, in speech too."""
    found, begins, quoted = [], True, False
    for before, token in zip(["", *tokens], tokens, strict=False):
        if token in QUOTES:
            quoted = not quoted
            found.append(False)
            begins = quoted or before in ENDS
        elif token.startswith("\n"):
            found.append(False)
            begins = True
        else:
            found.append(begins)
            begins = token in ENDS
    return found


def joined(tokens: Sequence[str]) -> str:
    """Tokens as a text: articles chosen, sentences capitalised, spaces where they belong."""
    text, quoted, tight = "", False, True
    for at, (token, begins) in enumerate(zip(tokens, beginnings(tokens), strict=True)):
        word = article(tokens[at + 1]) if token in ARTICLES else token
        word = word[0].upper() + word[1:] if begins else word
        closes = word in CLOSE or word.startswith("\n") or (word in QUOTES and quoted)
        text += word if closes or tight else f" {word}"
        quoted ^= word in QUOTES
        tight = word.startswith("\n") or (word in QUOTES and quoted)
    return text
