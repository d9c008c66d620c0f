"""Asks for tales in many wordings, and remembers which facts each wording asked for."""

from __future__ import annotations

import random

from pipelines.training.scenes.vocabulary import THINGS
from pipelines.training.tales.phrases import Facts, article
from pipelines.training.tales.words import LEXICON, WHEN

VERBS = ("tell", "write", "make up", "invent", "give me", "tell me", "write me")
POLITE = (
    "please {}",
    "can you {}",
    "could you {}",
    "could you please {}",
    "I would like you to {}",
    "{}",
    "{}",
    "{}",
)
SORTS = (
    "tale",
    "story",
    "short story",
    "short tale",
    "little story",
    "fairy tale",
    "bedtime story",
    "nice story",
)
SHORT = (
    "a story about {}",
    "story about {}",
    "a tale about {}",
    "a tale of {}",
    "tale: {}",
    "story: {}",
    "{}",
)
LISTED = (
    "words: {}",
    "use these words: {}",
    "a tale with these words: {}",
    "tell a tale with the words {}",
    "write a story from these words: {}",
    "make a story out of: {}",
    "tale words: {}",
    "a story with {}",
)
OPEN_ASKED = (
    "tell me a story",
    "a story",
    "tell me a tale",
    "a story please",
    "make something up",
    "tell a bedtime story",
)
SEEKS = (
    "who looks for",
    "who wants",
    "who wishes for",
    "who dreams of",
    "who is looking for",
    "that finds",
    "and",
)


def request(dice: random.Random, facts: Facts) -> tuple[str, Facts]:
    """A request for a tale of some of these facts, and those facts."""
    if dice.random() < 0.04:
        return _styled(dice.choice(OPEN_ASKED), dice), {}
    wanted = _wanted(dice, facts)
    if dice.random() < 0.25:
        words = dice.choice(LISTED).format(_list(_bare(dice, wanted), dice, plain=True))
    else:
        words = _asked(dice).format(_sentence(dice, wanted))
    return _styled(words, dice), wanted


def _wanted(dice: random.Random, facts: Facts) -> Facts:
    """Some of the facts: the hero or the thing at least."""
    roles = set()
    if dice.random() < 0.93:
        roles |= {"hero", "coat"} | {role for role in ("trait", "name") if dice.random() < 0.6}
    if facts["hero"] in THINGS:
        roles |= {"coat"}
    if "hero" not in roles or facts["hero"] in THINGS or dice.random() < 0.85:
        roles |= {"thing"} | ({"colour"} if dice.random() < 0.88 else set())
        roles |= {"mark", "markcolour"} if dice.random() < 0.12 else set()
    roles |= {"helper"} if "hero" in roles and dice.random() < 0.3 else set()
    roles |= {"when"} if dice.random() < 0.5 else set()
    return {role: facts[role] for role in facts if role in roles and facts[role] != "none"}


def _asked(dice: random.Random) -> str:
    if dice.random() < 0.25:
        return dice.choice(SHORT)
    sort = dice.choice(SORTS)
    about = dice.choice(("about", "about", "about", "of", "with"))
    return dice.choice(POLITE).format(f"{dice.choice(VERBS)} a {sort} {about} {{}}")


def _sentence(dice: random.Random, wanted: Facts) -> str:
    hero = [_hero(dice, wanted)] if "hero" in wanted else []
    thing = [_noun("colour", "thing", wanted)] if "thing" in wanted else []
    mark = [_noun("markcolour", "mark", wanted)] if "mark" in wanted else []
    helper = [_a(wanted["helper"])] if "helper" in wanted else []
    when = wanted.get("when")
    if hero and thing and dice.random() < 0.4:
        words = f"{hero[0]} {dice.choice(SEEKS)} {thing[0]}"
        words += f" beside {mark[0]}" if mark else ""
        words += f" and is helped by {helper[0]}" if helper else ""
    else:
        tail = [_say(WHEN[when]["noun"], dice)] if when and dice.random() < 0.4 else []
        when = None if tail else when
        words = _list([*hero, *_mixed(dice, [*thing, *mark], helper), *tail], dice)
    return f"{words}{dice.choice((' ', ', '))}{_say(WHEN[when]['ask'], dice)}" if when else words


def _mixed(dice: random.Random, things: list[str], helper: list[str]) -> list[str]:
    return helper + things if dice.random() < 0.3 else things + helper


def _bare(dice: random.Random, wanted: Facts) -> list[str]:
    """Words without articles, "brave fox", "red boat", "night"."""
    hero = [" ".join(wanted[role] for role in ("trait", "coat", "hero") if role in wanted)]
    name = [wanted["name"]] if "name" in wanted else []
    thing = [" ".join(wanted[role] for role in ("colour", "thing") if role in wanted)]
    mark = [f"{wanted['markcolour']} {wanted['mark']}"] if "mark" in wanted else []
    helper = [wanted["helper"]] if "helper" in wanted else []
    when = [_say(WHEN[wanted["when"]]["word"], dice)] if "when" in wanted else []
    parts = [hero + name, *_mixed(dice, [thing + mark], [helper]), when]  # type: ignore[list-item]
    if dice.random() < 0.2:
        parts = parts[-1:] + parts[:-1]
    return [word for part in parts for word in part if word]


def wanted_words(dice: random.Random, wanted: Facts) -> list[str]:
    """ "brave fox", "red boat", "night"; some with an article."""
    words = _bare(dice, wanted)
    when = _say(WHEN[wanted["when"]]["word"], dice) if "when" in wanted else ""
    return [
        _a(word) if dice.random() < 0.4 and "day" not in word and word not in WHEN else word for word in words
    ] or [when]


def _hero(dice: random.Random, wanted: Facts) -> str:
    words = _a(" ".join(wanted[role] for role in ("trait", "coat", "hero") if role in wanted))
    if "name" not in wanted:
        return words
    return f"{words} {dice.choice(('named', 'called'))} {wanted['name']}"


def _noun(colour: str, noun: str, wanted: Facts) -> str:
    return _a(" ".join(wanted[role] for role in (colour, noun) if role in wanted))


def _a(words: str) -> str:
    return f"{article(words)} {words}"


def _list(parts: list[str], dice: random.Random, plain: bool = False) -> str:
    if len(parts) < 2:
        return "".join(parts)
    between = ", " if dice.random() < 0.8 or not plain else dice.choice((" ", "; "))
    return (
        between.join(parts[:-1]) + (between if plain else dice.choice((" and ", ", and ", ", "))) + parts[-1]
    )


def _say(phrase: str, dice: random.Random) -> str:
    """One of the ways of a bracketed phrase."""
    return dice.choice(phrase.strip("[]").split("|"))


def _styled(words: str, dice: random.Random) -> str:
    """With a mark at the end or none, and a capital letter or none."""
    asks = words.startswith(("can", "could"))
    words += dice.choice(("?", "?", "") if asks else (".", ".", "", "", "!", " please", ", please."))
    return words[0].upper() + words[1:] if dice.random() < 0.75 else words


def names_all(facts: Facts, wanted: Facts) -> bool:
    """Whether a tale's facts are those that were asked for."""
    return all(facts.get(role) == key for role, key in wanted.items() if role in LEXICON)
