"""Product blurbs from a few facts: every fact given is told, and nothing else is claimed."""

from __future__ import annotations

import hashlib
import random

from pipelines.training.scenes.vocabulary import COLOURS
from pipelines.training.tales.phrases import Facts, Grammar, article, words
from pipelines.training.tales.words import OBJECTS

PRODUCTS = (
    *(thing for thing in OBJECTS if thing not in ("apple", "stone", "rose", "flower", "feather", "shell")),
)
MATERIALS = words("wood wool glass paper cotton leather steel clay silk cork bamboo stone felt tin")
QUALITIES = words("light strong quiet soft simple warm cheap safe clever handy lovely sturdy fast waterproof")
PEOPLE = words(
    "children sailors gardeners students families travellers painters cooks dreamers beginners everyone"
)
USES = {
    "night": "reading at night",
    "sea": "long days by the sea",
    "kitchen": "a small kitchen",
    "garden": "the garden",
    "school": "school",
    "trips": "long trips",
    "parties": "parties",
    "rain": "rainy days",
    "winter": "cold winters",
    "home": "every home",
    "work": "work",
    "gifts": "gifts",
}
OPTIONAL = ("colour", "material", "quality", "people", "use", "price")
HELD_OUT_ONE_IN = 10


def _same(keys: tuple[str, ...] | list[str]) -> dict[str, dict[str, str]]:
    return {word: {"word": word} for word in keys}


LEXICON = {
    "product": _same(PRODUCTS),
    "colour": {"none": {}, **_same(tuple(COLOURS))},
    "material": {"none": {}, **_same(MATERIALS)},
    "quality": {"none": {}, **_same(QUALITIES)},
    "people": {"none": {}, **_same(PEOPLE)},
    "use": {"none": {}, **{key: {"word": words} for key, words in USES.items()}},
    "price": {"none": {}, **_same([str(price) for price in range(2, 100)])},
}
RULES = {
    "blurb": "<first> [<second>|{people=none} {use=none}] [<third>|{price=none}] [<last>|]",
    "thing": "<quality> <colour> {product.word} <material>",
    "quality": "[{quality.word}|{quality=none}]",
    "colour": "[{colour.word}|{colour=none}]",
    "material": "[[made of|of] {material.word}|{material=none}]",
    "first": (
        "[meet|here is|say hello to|look at|take home] our [new|] <thing>."
        "|[a~ <thing>: what more could you [want|wish for]?|you will love this <thing>.|at last, a~ <thing>!]"
        "|[this {product.word} is as {quality.word} as it looks: <colour>, made of {material.word} "
        "and made to last.]"
        "|nothing is as [good|fine] as a~ <thing>."
    ),
    "second": (
        "[it is made for|it is just right for|it is perfect for|we made it for] [{people.word} "
        "{use=none}|{use.word} {people=none}]."
        "|[{people.word} love it for {use.word}|it is for {people.word} and for {use.word}"
        "|{people.word} take it for {use.word}"
        "|it helps {people.word} with {use.word}]."
    ),
    "third": (
        "[it costs only|all that for only|yours for|the price is] {price.word} coins."
        "|and it costs just {price.word} coins."
    ),
    "last": (
        "[get yours today!|try it today.|you will not want to be without it.|a small thing that "
        "makes every day better.]"
    ),
}
RULES["first"] = RULES["first"].replace("<colour>, made of", "[{colour.word},|{colour=none}] made of")
GRAMMAR = Grammar(RULES, LEXICON)

ASKED = (
    "write a product blurb for {}",
    "write a blurb for {}",
    "write an advertisement for {}",
    "write a short product text about {}",
    "please write a blurb about {}",
    "advertise {}",
    "can you write a product blurb for {}?",
    "sell me {}",
    "product blurb: {}",
    "blurb for {}",
)
LABELS = {
    "product": ("product", "name", "what", "item"),
    "colour": ("colour", "color"),
    "material": ("material", "made of"),
    "quality": ("quality", "it is", "feature"),
    "people": ("for", "made for", "customers"),
    "use": ("use", "used for", "good for"),
    "price": ("price", "costs"),
}


def draw_facts(dice: random.Random) -> Facts:
    """A product and one to four facts of it; what is not said is "none"."""
    said = dice.sample(OPTIONAL, dice.choice((1, 2, 2, 3, 3, 4)))
    facts = {role: dice.choice([key for key in LEXICON[role] if key != "none"]) for role in said}
    return {"product": dice.choice(PRODUCTS), **{role: facts.get(role, "none") for role in OPTIONAL}}


def compose(dice: random.Random, facts: Facts) -> str:
    return GRAMMAR.say("blurb", facts, dice)


def read_blurb(text: str, facts: Facts) -> bool:
    """Whether it is a blurb of just these facts: none left out, none invented."""
    told = GRAMMAR.read("blurb", text, facts)
    free = GRAMMAR.read("blurb", text)
    return told is not None and free is not None and _said(free) == _said(facts)


def reads(text: str) -> bool:
    """Whether it is a blurb of anything."""
    return GRAMMAR.read("blurb", text) is not None


def _said(facts: Facts) -> Facts:
    return {role: key for role, key in facts.items() if key != "none"}


def request(dice: random.Random, facts: Facts) -> str:
    """The facts in a sentence, or as `label: value`, in a line or one a line."""
    if dice.random() < 0.5:
        words = dice.choice(ASKED).format(_sentence(dice, facts))
        words += "" if words[-1] == "?" else dice.choice((".", "", "!"))
    else:
        head = dice.choice(
            ("write a product blurb", "product blurb", "write a blurb", "blurb", "blurb from these facts")
        )
        between = dice.choice(("\n", ", ", "; ", ". "))
        order = ["product", *dice.sample(OPTIONAL, len(OPTIONAL))]
        rows = [
            f"{dice.choice(LABELS[role])}: {_value(role, facts)}" for role in order if facts[role] != "none"
        ]
        words = f"{head}{dice.choice((chr(10), '. ', ': '))}{between.join(rows)}{dice.choice(('', '.'))}"
    return words[0].upper() + words[1:] if dice.random() < 0.75 else words


def _value(role: str, facts: Facts) -> str:
    word = LEXICON[role][facts[role]]["word"]
    return f"{word} coins" if role == "price" else word


def _sentence(dice: random.Random, facts: Facts) -> str:
    said = _said(facts)
    before = " ".join(said[role] for role in ("quality", "colour", "product") if role in said)
    tail = {
        "material": "made of {}",
        "people": "for {}",
        "use": "good for {}",
        "price": dice.choice(("that costs {}", "at {}")),
    }
    rest = [tail[role].format(_value(role, facts)) for role in tail if role in said]
    return " ".join([article(before), before, dice.choice((" ", ", ")).join(rest)]).strip()


def is_held_out(facts: Facts) -> bool:
    """Whether training never speaks of this (product, colour, material, quality). A fixed hash decides."""
    words = "|".join(facts[role] for role in ("product", "colour", "material", "quality"))
    return int.from_bytes(hashlib.blake2s(words.encode(), digest_size=4).digest()) % HELD_OUT_ONE_IN == 0
