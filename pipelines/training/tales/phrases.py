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
from dataclasses import dataclass, replace
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
THE_END = ""  # of a text


class Part:
    """A piece of a rule: what it says of facts, and the ends up to which it reads tokens from a place on."""

    def can(self, facts: Facts) -> bool:
        """Whether it can be said of these facts."""
        raise NotImplementedError

    def opens(self, rest: Parts) -> Iterator[Opening]:
        """The ways in which it, and `rest` after it, can begin."""
        raise NotImplementedError

    def read(self, tokens: Sequence[str], at: int, facts: Facts) -> Iterator[tuple[int, Facts]]:
        """(the place after it, the facts with what it told) for each way of reading it."""
        raise NotImplementedError


Parts = tuple[Part, ...]
"""What is still to be said."""


@dataclass(frozen=True)
class Opening:
    """A way to go on: `first` comes next, then `rest`, if all that it `needs` can be said. At the end of a
    text nothing comes next."""

    first: Word | Slot | None
    rest: Parts = ()
    needs: Parts = ()


def _openings(parts: Parts) -> Iterator[Opening]:
    if parts:
        yield from parts[0].opens(parts[1:])
    else:
        yield Opening(None)


@dataclass(frozen=True, eq=False)
class Word(Part):
    token: str

    def can(self, facts: Facts) -> bool:
        return True

    def opens(self, rest: Parts) -> Iterator[Opening]:
        yield Opening(self, rest)

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


@dataclass(frozen=True, eq=False)
class Series(Part):
    parts: Parts

    def can(self, facts: Facts) -> bool:
        return all(part.can(facts) for part in self.parts)

    def opens(self, rest: Parts) -> Iterator[Opening]:
        yield from _openings(self.parts + rest)

    def read(self, tokens: Sequence[str], at: int, facts: Facts) -> Iterator[tuple[int, Facts]]:
        yield from self._from(0, tokens, at, facts)

    def _from(self, part: int, tokens: Sequence[str], at: int, facts: Facts) -> Iterator[tuple[int, Facts]]:
        if part == len(self.parts):
            yield at, facts
            return
        for after, told in self.parts[part].read(tokens, at, facts):
            yield from self._from(part + 1, tokens, after, told)


@dataclass(frozen=True, eq=False)
class Choice(Part):
    options: Parts

    def can(self, facts: Facts) -> bool:
        return any(option.can(facts) for option in self.options)

    def opens(self, rest: Parts) -> Iterator[Opening]:
        for option in self.options:
            for way in option.opens(rest):
                yield replace(way, needs=(option, *way.needs))

    def read(self, tokens: Sequence[str], at: int, facts: Facts) -> Iterator[tuple[int, Facts]]:
        for option in self.options:
            yield from option.read(tokens, at, facts)


@dataclass(frozen=True, eq=False)
class Bound(Part):
    """Says nothing; holds that a role is a key."""

    role: str
    key: str

    def can(self, facts: Facts) -> bool:
        return facts.get(self.role) == self.key

    def opens(self, rest: Parts) -> Iterator[Opening]:
        yield from _openings(rest)

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

    def opens(self, rest: Parts) -> Iterator[Opening]:
        yield Opening(self, rest)

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

    def opens(self, rest: Parts) -> Iterator[Opening]:
        yield from self.grammar.part(self.name).opens(rest)

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
        self._ways: dict[Parts, list[Opening]] = {}

    def say(self, rule: str, facts: Facts, dice: random.Random) -> str:
        """A text of this rule about these facts. Whatever word may come next is as likely as any other that
        may, in however many ways the rules say it: then no good word is rare, and a model that has learned
        this can leave out what it finds unlikely without saying the same all the time."""
        ends, tokens, known = [(self.part(rule),)], [], dict[Part, bool]()
        while True:
            ways: dict[str, list[Parts]] = {}
            for end in ends:
                self._go_on(end, facts, known, ways)
            token = dice.choice(list(ways))
            if token == THE_END:
                return joined(tokens)
            tokens.append(token)
            ends = ways[token]

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

    def _go_on(
        self, parts: Parts, facts: Facts, known: dict[Part, bool], ways: dict[str, list[Parts]]
    ) -> None:
        """Adds to `ways` what can come next and what is to be said then. `known`: what can be said at all."""
        if parts not in self._ways:
            self._ways[parts] = list(_openings(parts))
        for way in self._ways[parts]:
            for part in way.needs:
                if part not in known:
                    known[part] = part.can(facts)
            if not all(known[part] for part in way.needs):
                continue
            if isinstance(way.first, Slot):
                self._go_on((way.first.forms[facts[way.first.role]], *way.rest), facts, known, ways)
            else:
                ways.setdefault(way.first.token if way.first else THE_END, []).append(way.rest)

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
