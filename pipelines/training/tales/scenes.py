"""Scenes in words: captions from given words, and questions about a scene with their answers.

The captions are in the grammar of `pipelines.training.scenes.captions`, so the scenes model draws them.
"""

from __future__ import annotations

import hashlib
import random

from pipelines.training.scenes.captions import (
    BACKGROUND_WORDS,
    PLACE_WORDS,
    RELATION_WORDS,
    STYLE_WORDS,
)
from pipelines.training.scenes.vocabulary import BACKGROUNDS, COLOURS, PLAIN, THINGS, is_clear
from pipelines.training.tales.phrases import Facts, Grammar, article

STYLES = {style: words[:3] for style, words in STYLE_WORDS.items()}
PLACES = {place: words[:4] for place, words in PLACE_WORDS.items()}
RELATIONS = {f"{first}-{second}": words for (first, second), words in RELATION_WORDS.items()}
OPPOSITES = {
    "left-right": "right-left",
    "right-left": "left-right",
    "top-bottom": "bottom-top",
    "bottom-top": "top-bottom",
}
GROUNDS = {
    **{name: [words for words in BACKGROUND_WORDS[name] if " " in words] for name in BACKGROUND_WORDS},
    **{colour: [f"on a {colour} background", f"{colour} background", f"on {colour}"] for colour in PLAIN},
}
IT_IS = {"day": "it is day", "night": "it is night", "sunset": "the sun is setting", "sea": "it is the sea"}
HELD_OUT_ONE_IN = 10
COUNTS = {"1": "there is one thing", "2": "there are two things", "3": "there are three things"}


def _any(words: tuple[str, ...] | list[str]) -> str:
    return f"[{'|'.join(words)}]"


def _words(keys: tuple[str, ...]) -> dict[str, dict[str, str]]:
    return {key: {"word": key} for key in keys}


def _lexicon() -> dict[str, dict[str, dict[str, str]]]:
    roles: dict[str, dict[str, dict[str, str]]] = {}
    for at in "123":
        roles[f"thing{at}"] = {"none": {}, **_words(THINGS)}
        roles[f"colour{at}"] = {"none": {}, **_words(tuple(COLOURS))}
        roles[f"place{at}"] = {"none": {}} | {
            place: {"word": _any(words), "plain": words[0]} for place, words in PLACES.items()
        }
    roles["relation"] = {"none": {}} | {key: {"word": _any(words)} for key, words in RELATIONS.items()}
    roles["ground"] = {"none": {}} | {
        key: {"word": _any(words), "is": IT_IS.get(key, f"the background is {key}")}
        for key, words in GROUNDS.items()
    }
    roles["style"] = {"none": {}} | {key: {"word": _any(words)} for key, words in STYLES.items()}
    return roles


def _item(at: int) -> str:
    return f"[a~|a~|a~|the|one] {{colour{at}.word}} {{thing{at}.word}}"


def _placed(at: int) -> str:
    return f"{_item(at)} [{{place{at}.word}}|{{place{at}=none}}]"


CAPTION = {  # the same sentence for one thing, two and three
    "one": f"{_placed(1)} {{thing2=none}} {{thing3=none}} {{relation=none}}",
    "two": f"{_placed(1)} [and|,] {_placed(2)} {{relation=none}} {{thing3=none}}",
    "related": f"{_item(1)} {{relation.word}} {_item(2)} {{place1=none}} {{place2=none}} {{thing3=none}}",
    "three": f"{_placed(1)}, {_placed(2)} and {_placed(3)} {{relation=none}}",
    "things": "[<one>|<two>|<related>|<three>]",
    "caption": "<things> [[,|] {ground.word}|{ground=none}] [, {style.word}|{style=none}]",
}
GRAMMAR = Grammar(CAPTION, _lexicon())


EMPTY = dict.fromkeys(GRAMMAR.lexicon, "none")
"""A scene of which nothing is said."""


def draw_facts(dice: random.Random, counts: tuple[int, ...] = (1, 1, 1, 2), styled: float = 0.3) -> Facts:
    """A scene of one to three things that stand out from its background, sometimes in a style."""
    count = dice.choice(counts)
    ground = dice.choice(BACKGROUNDS if dice.random() < 0.4 else tuple(IT_IS))
    facts = {"ground": ground if dice.random() < 0.85 else "none", "relation": "none"}
    facts["style"] = dice.choice(tuple(STYLES)) if dice.random() < styled else "none"
    behind = ground if facts["ground"] != "none" else "white"
    clear = [c for c in COLOURS if is_clear(c, behind) and is_clear(c, behind, facts["style"])]
    things = [*dice.sample(THINGS, count), *["none"] * (3 - count)]
    places = _places(dice, count)
    for at, (thing, place) in enumerate(zip(things, places, strict=True), 1):
        facts |= {f"thing{at}": thing, f"place{at}": place}
        facts[f"colour{at}"] = dice.choice(clear) if thing != "none" else "none"
    if count == 2 and dice.random() < 0.5:
        facts |= {"relation": dice.choice(tuple(RELATIONS)), "place1": "none", "place2": "none"}
    return facts


def _places(dice: random.Random, count: int) -> list[str]:
    if count == 1:
        return [dice.choice(tuple(PLACES)) if dice.random() < 0.5 else "none", "none", "none"]
    if count == 2:
        pair = dice.choice(tuple(RELATIONS)).split("-")
        return [*(pair if dice.random() < 0.7 else ("none", "none")), "none"]
    return ["left", "middle", "right"]


def compose(dice: random.Random, facts: Facts) -> str:
    """The caption, without a capital letter or a full stop, as the scenes model reads it."""
    text = GRAMMAR.say("caption", facts, dice)
    return text[0].lower() + text[1:]


def read_caption(text: str, wanted: Facts) -> bool:
    """Whether it is a caption of the things wanted and no others; what else was not asked may be anything."""
    if not text or text[0] != text[0].lower():
        return False
    told = GRAMMAR.read("caption", text[0].upper() + text[1:], wanted)
    return told is not None and all(
        told.get(f"thing{at}") == wanted.get(f"thing{at}", "none") for at in "123"
    )


def wanted_of(dice: random.Random, facts: Facts) -> Facts:
    """What a request for a caption says: all things and places, nearly always colours and the background."""
    wanted = {role: key for role, key in facts.items() if role.startswith("thing") and key != "none"}
    for role, key in facts.items():
        if key != "none" and dice.random() < (0.93 if role.startswith(("colour", "ground")) else 1.0):
            wanted[role] = key
    return wanted


PICTURE_ASKED = (
    "picture: {}",
    "picture: {}",
    "picture of {}",
    "a picture of {}",
    "picture words: {}",
    "caption: {}",
    "caption for a picture of {}",
    "describe a picture of {}",
    "words for a picture: {}",
    "write a caption for a picture with {}",
    "what should I type for a picture of {}?",
    "words: {}\nPicture:",
    "{}\nPicture:",
)


def picture_request(dice: random.Random, wanted: Facts) -> str:
    """Asks for a caption: from a list of words, or from a phrase."""
    plain = dice.random() < 0.6
    things = [_asked_item(at, wanted, dice, plain) for at in "123" if f"thing{at}" in wanted]
    if "relation" in wanted:
        words = f" {dice.choice(RELATIONS[wanted['relation']])} ".join(things)
    else:
        words = ", ".join(things) if plain else " and ".join(things)
    if "ground" in wanted:
        ground = wanted["ground"]
        short = ground if ground in IT_IS and plain else dice.choice(GROUNDS[ground])
        words += f"{', ' if plain else dice.choice((' ', ', '))}{short}"
    if "style" in wanted:
        words += f"{dice.choice((', ', ', in '))}{wanted['style']}"
    asked = dice.choice(PICTURE_ASKED).format(words)
    return asked[0].upper() + asked[1:] if dice.random() < 0.75 else asked


def _asked_item(at: str, wanted: Facts, dice: random.Random, plain: bool) -> str:
    words = " ".join(wanted[role] for role in (f"colour{at}", f"thing{at}") if role in wanted)
    words = words if plain else f"{article(words)} {words}"
    place = wanted.get(f"place{at}")
    if place is None:
        return words
    return f"{words} {place if plain and dice.random() < 0.6 else dice.choice(PLACES[place])}"


def is_held_out(facts: Facts) -> bool:
    """Whether training never speaks of these things, so coloured, before this background. A hash decides."""
    words = "|".join(facts[role] for role in ("thing1", "colour1", "thing2", "ground"))
    return int.from_bytes(hashlib.blake2s(words.encode(), digest_size=4).digest()) % HELD_OUT_ONE_IN == 0
