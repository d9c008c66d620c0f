"""Composes tales, and reads them: a tale is a text that `TALE` speaks, with facts that hold from end to end.

Somebody wishes for a coloured thing (or has lost it, or looks for it for a friend), sets out, meets a trouble
and a helper, finds it at a landmark, and is glad. The parser binds every role once, so what is wished for is
what is found, colours do not change, and help fits the trouble.
"""

from __future__ import annotations

import hashlib
import random

from pipelines.training.scenes.vocabulary import COLOURS, THINGS, is_clear
from pipelines.training.tales.phrases import Facts, Grammar, words
from pipelines.training.tales.words import (
    HE,
    LESSONS,
    LEXICON,
    LIVES,
    MARKS,
    MEN,
    NAMES,
    OBJECTS,
    PLOTS,
    REASONS,
    SHE,
    SIDES,
    TINTS,
    TRADES,
    TRAITS,
    TROUBLES,
    WHEN,
    WOMEN,
)

HELD_OUT_ONE_IN = 10

RULES = {
    "tale": "<opening> [<search>|<lost>|<gift>] <journey> <find> <close>",
    # who
    "opening": (
        "[once|once upon a time|once upon a time,|long ago|many years ago|once upon a time, long ago,]"
        " there [was|lived] <whom>|there once [was|lived] <whom>"
        "| <long-ago> there was <whom>"
    ),
    "long-ago": "[in another time|in a tale that is told to children|when the world was young]",
    "whom": (
        "a~ <kind> [named|called|by the name of] {name.word}. {he.he} [lived|had {he.his} home] {home.word}."
        "| a~ <kind> named {name.word} who lived {home.word}."
        "| a~ <kind> {name=none} [who|that] [lived|had {he.his} home] {home.word}."
    ),
    "kind": "[{trait.word}|{trait=none}] [{coat.word}|{coat=none}] {hero.word}",
    "hero": "[{name.word}|the {hero.word}|the {coat.word} {hero.word}]",
    "he": "[{he.he}|<hero>]",
    "it": "the {colour.word} {thing.word}",
    "one": "a~ {colour.word} {thing.word}",
    # what for
    "search": "{plot=search} {friend=none} <wish> <set-out>",
    "wish": (
        "[<he> [wished for|dreamed of|longed for|wanted|needed] <one> {reason.word}."
        "|more than anything, <he> [wanted to find|wished for|hoped to see] <one> {reason.word}."
        "|<he> had heard of <one> and [could not forget it|thought of it day and night|wished to have it]."
        '|<he> often said, "if only I had <one>!"'
        '|"I wish I had <one>," said <hero> [every morning|every evening|again and again].]'
    ),
    "lost": (
        "{plot=lost} {friend=none} [<he> had <one> and [loved it|was proud of it|never went out without it]."
        "|<he> had nothing but <one>."
        "|nobody else had <one>, only <hero>.]"
        " [but one [morning|day] it was gone.|but a strong wind [blew|carried] it away.|then a thief "
        "came and took it.]"
        " [<he> was sad.|<he> looked everywhere.|<he> cried, but not for long.|] <set-out>"
    ),
    "gift": (
        "{plot=gift} [{he.his} [best|oldest|only] friend was a~ {friend.word}"
        "|<he> had a friend, a~ {friend.word}]"
        " who [wished for|dreamed of|longed for|had always wanted] <one>."
        ' ["I will find it for you," said <hero>.|<he> promised to find it.|] <set-out>'
    ),
    "set-out": (
        "[so|then|] {when.one} <he> [set out|left home|went out|packed some bread and went off] to "
        "[find|look for]"
        " [it|<it>]. [{when.sky}.|]"
        "|{when.one}, <he> [began {he.his} journey|started to look for [it|<it>]]. [{when.sky}.|]"
    ),
    # what happened
    "journey": "<trouble> <help> [<talk>|<tip>|]",
    "trouble": (
        "[on the way|after a while|soon|before long|at first all went well, but then] <he> {trouble.met}."
    ),
    "help": (
        "[then|just then|luckily,|after some time] a~ {helper.word} [came by|came along|passed by|saw <hero>]"
        " and {trouble.mended}."
        "|<he> called for help. a~ {helper.word} [came|heard it] and {trouble.mended}."
    ),
    "talk": (
        '"[thank you|I will not forget this|you are kind|how good that you came]," said <hero>.'
        ' ["[good luck|think nothing of it|one day you may help me too|come and see me again]," '
        "answered the {helper.word}.|]"
        "|<he> thanked the {helper.word} [with all {he.his} heart|and walked on|and shared some nuts"
        "|and told it everything]."
    ),
    "tip": (
        '"[look {side.word} the {markcolour.word} {mark.word}|what you look for is {side.word} a~ '
        "{markcolour.word} {mark.word}"
        '|I have seen <it> {side.word} the {markcolour.word} {mark.word}]," explained the {helper.word}.'
        "|then the {helper.word} [knew|told {he.him}] that <it> was {side.word} a~ {markcolour.word} "
        "{mark.word}."
    ),
    # how it ended
    "find": (
        "[at last|in the end|finally|after many hours] <he> [found|saw|came upon] <it> {side.word} "
        "a~ {markcolour.word} {mark.word}."
        "|[at last|in the end] <he> came to a~ {markcolour.word} {mark.word}. {side.word} it [was"
        "|lay|stood] <it>."
        "|and there it was, {side.word} a~ {markcolour.word} {mark.word}: <it>!"
    ),
    "close": "[{plot=gift} <give>|{plot=search} <glad>|{plot=lost} <again>] [<moral>|] [<the-end>|]",
    "give": (
        "<he> [brought|gave|carried] <it> to the {friend.word}"
        " [and both were happy.|and they danced {when.until}.|, who laughed and cried.|, and they "
        "looked at it {when.until}.]"
        "|so the {friend.word} got <it> and [thanked {he.him}|was happy|laughed for joy]."
    ),
    "glad": (
        "<he> [sat down with it|looked at it|played with it|sang to it] {when.until}."
        "|<he> took it home and [was happy|told everyone about it|never was lonely again]."
        "|<he> [laughed|danced|smiled] for joy and never forgot <it>."
        "|now <hero> had <it> and [was happy|wished for nothing more]."
    ),
    "again": (
        "<he> [held it tight|kissed it|laughed for joy] and [went home|never lost it again|stayed "
        "with it {when.until}]."
        "|[how happy <hero> was|what a joy]! <it> was back."
        "|<he> took <it> home [and hung it over the bed|and put it in a safe place|and never let it "
        "go again]."
    ),
    "moral": "{lesson.word}.",
    "the-end": "[the end.|and that was a good day.|and so it is to this day.|so ends the tale of <hero>.]",
    "title": (
        "[the [{trait.word}|] [{coat.word}|] {hero.word} and the {colour.word} {thing.word}"
        "|{name.word} and the {colour.word} {thing.word}"
        "|how <title-hero> found the {colour.word} {thing.word}"
        "|the {colour.word} {thing.word} {when.title}"
        "|<title-hero> {when.title}"
        "|the tale of <title-hero> and the {colour.word} {thing.word}"
        "|{plot=gift} a~ {colour.word} {thing.word} for the {friend.word}]"
    ),
    "title-hero": "[{name.word}|the {coat.word} {hero.word}|the [{trait.word}|] {hero.word}]",
}
GRAMMAR = Grammar(RULES, LEXICON, NAMES)
SENTENCES = words("opening wish lost gift set-out trouble help talk tip find give glad again moral the-end")

Tale = tuple[str, str, Facts]
"""Title, text, facts."""


def draw_facts(dice: random.Random) -> Facts:
    """The facts of one tale; what could stand in one place is about as likely each (see `Grammar.say`)."""
    facts = {"plot": dice.choice(PLOTS)}
    facts |= _draw_hero(dice)
    facts["when"] = dice.choice(tuple(WHEN))
    facts["thing"] = dice.choice((*THINGS, *THINGS, *OBJECTS))
    clear = [colour for colour in COLOURS if is_clear(colour, facts["when"])]
    facts["colour"] = dice.choice(clear if facts["thing"] in THINGS else TINTS)
    others = [who for who in LIVES if who != facts["hero"]]
    facts["helper"], friend = dice.sample(others, 2)
    facts["friend"] = friend if facts["plot"] == "gift" else "none"
    facts["mark"] = dice.choice([mark for mark in MARKS if mark not in (facts["thing"], facts["hero"])])
    facts["markcolour"] = dice.choice(clear)
    facts["side"] = dice.choice(SIDES)
    facts["trouble"] = dice.choice(tuple(TROUBLES))
    facts["reason"] = dice.choice(tuple(REASONS))
    facts["lesson"] = dice.choice(tuple(LESSONS))
    return facts


def _draw_hero(dice: random.Random) -> Facts:
    hero = dice.choice(THINGS if dice.random() < 0.15 else tuple(LIVES))
    name = dice.choice(WOMEN + MEN) if dice.random() < 0.55 else "none"
    colours = tuple(COLOURS) if hero in THINGS or dice.random() < 0.2 else ("none",)
    return {
        "hero": hero,
        "name": _name_for(hero, name, dice),
        "he": pronoun(hero, name),
        "trait": dice.choice((*TRAITS, "none")),
        "coat": dice.choice(colours),
        "home": LIVES[hero] if hero in LIVES and dice.random() < 0.6 else "anywhere",
    }


def _name_for(hero: str, name: str, dice: random.Random) -> str:
    if name == "none" or hero not in SHE | HE:
        return name
    return dice.choice(WOMEN if hero in SHE else MEN)


def pronoun(hero: str, name: str) -> str:
    """How a hero is called in short: as its kind says, else its name, else its trade."""
    if hero in SHE or (name in WOMEN and hero not in HE):
        return "she"
    if hero in HE or name in MEN:
        return "he"
    return next((word for word, whose in TRADES.items() if hero in whose), "it")


def compose(dice: random.Random, facts: Facts) -> Tale:
    """A tale of these facts, and its title."""
    return GRAMMAR.say("title", facts, dice), GRAMMAR.say("tale", facts, dice), facts


def title_of(dice: random.Random, facts: Facts, wanted: Facts) -> str:
    """A title in which all that is wanted is said."""
    for _ in range(5000):
        title = GRAMMAR.say("title", facts, dice)
        if wanted.items() <= (read_title(title, {}) or {}).items():
            return title
    raise ValueError(f"No title says {wanted}.")


def read_tale(text: str, facts: Facts | None = None) -> Facts | None:
    """The facts of a tale; None where a sentence is none of the grammar's, or where facts change."""
    told = GRAMMAR.read("tale", text, facts)
    return told if told is not None and _fits(told) else None


def read_title(text: str, facts: Facts) -> Facts | None:
    """The facts of a title, which must be those of its tale."""
    return GRAMMAR.read("title", text, facts)


def grammatical(text: str) -> bool:
    """Whether every sentence can be read by itself, whatever its facts."""
    return GRAMMAR.covers(text, SENTENCES)


def _fits(facts: Facts) -> bool:
    """Whether the short name fits the hero, and the home the kind."""
    short = pronoun(facts["hero"], facts.get("name", "none"))
    return facts.get("he", short) == short and facts["home"] in {"anywhere", LIVES.get(facts["hero"])}


def is_held_out(facts: Facts) -> bool:
    """Whether training never tells of this (hero, colour, thing, time). A fixed hash decides."""
    words = "|".join(facts[role] for role in ("hero", "colour", "thing", "when"))
    return int.from_bytes(hashlib.blake2s(words.encode(), digest_size=4).digest()) % HELD_OUT_ONE_IN == 0
