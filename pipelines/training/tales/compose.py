"""Composes little tales from characters, places, weather, wishes, troubles and helpers.

A tale keeps its facts: the name, the thing that is looked for, the place and the helper stay the same from
the first sentence to the last, and the ending answers the beginning. That is what the model has to learn.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

CHARACTERS = {  # animal or person: where it lives
    "fox": "in the forest",
    "owl": "in an old oak tree",
    "mouse": "under the barn",
    "bear": "in a cave",
    "frog": "by the pond",
    "hen": "on a farm",
    "cat": "in a small house",
    "rabbit": "on a green hill",
    "sailor": "by the sea",
    "baker": "in a little town",
    "girl": "near the river",
    "boy": "at the edge of the village",
    "king": "in a tall castle",
    "queen": "in a white palace",
    "miller": "beside the mill",
    "goat": "high in the mountains",
}
SHE = ("hen", "cat", "girl", "queen", "owl", "mouse")
NAMES = (
    "Ana",
    "Bram",
    "Cleo",
    "Dov",
    "Elsa",
    "Finn",
    "Greta",
    "Hugo",
    "Iris",
    "Jon",
    "Kaya",
    "Leo",
    "Mira",
    "Nils",
)
NATURES = (
    "small",
    "old",
    "clever",
    "brave",
    "shy",
    "kind",
    "lonely",
    "merry",
    "hungry",
    "curious",
    "lazy",
    "proud",
)
WEATHERS = {  # how a day began: what it did to the road
    "the sun was shining": "The road was dry and warm.",
    "it was raining": "The road was wet and full of mud.",
    "snow was falling": "The road was white and quiet.",
    "the wind was strong": "Leaves flew over the road.",
    "a thick fog lay on the fields": "The road was hard to see.",
    "the sky was full of clouds": "The road was grey and long.",
}
WISHES = {  # a thing to look for: why
    "a golden key": "to open the old door",
    "a warm coat": "to be safe from the cold",
    "a loaf of bread": "to share with everyone at home",
    "a red boat": "to sail across the lake",
    "a silver bell": "to wake the sleepy village",
    "a bright lamp": "to see in the dark",
    "a new friend": "to laugh and play with",
    "a basket of apples": "to bake a sweet cake",
    "a lost letter": "to read what it said",
    "a song": "to sing at the feast",
    "a blue stone": "to finish the garden wall",
    "a pot of honey": "to eat in the winter",
}
TROUBLES = {  # on the way: how the helper mends it
    "came to a deep river": "carried {him} across on a raft",
    "lost the way": "showed {him} the right path",
    "fell into a hole": "pulled {him} out with a rope",
    "met a high wall": "lent {him} a ladder",
    "grew very tired": "gave {him} a place to sleep",
    "found the bridge broken": "mended the bridge with strong wood",
    "heard a strange noise": "said that it was only the wind",
    "tore {his} shoes": "sewed them with a strong thread",
}
HELPERS = (
    "a turtle",
    "a woodcutter",
    "an old woman",
    "a crow",
    "a fisherman",
    "a shepherd",
    "a beaver",
    "a gentle giant",
)
THANKS = ("Thank you", "You are kind", "I will not forget this", "How can I thank you")
ANSWERS = (
    "Good luck on your way",
    "One day you will help me too",
    "Think nothing of it",
    "Come and visit me again",
)
GIFTS = (
    "some nuts",
    "a ripe pear",
    "a shiny button",
    "a warm smile",
    "half of {his} bread",
    "a small flower",
)
LESSONS = {
    "kind": "A little help is worth more than gold.",
    "brave": "Who dares to begin has gone half the way.",
    "patient": "Good things come to those who keep walking.",
}


@dataclass(frozen=True)
class Pronouns:
    he: str
    him: str
    his: str


def tale(dice: random.Random) -> str:
    """One tale, a single paragraph of about sixty to a hundred words."""
    who, name, nature = dice.choice(tuple(CHARACTERS)), dice.choice(NAMES), dice.choice(NATURES)
    words = Pronouns("she", "her", "her") if who in SHE else Pronouns("he", "him", "his")
    wish = dice.choice(tuple(WISHES))
    named = dice.random() < 0.6
    hero = name if named else f"the {who}"
    lines = [
        *_beginning(dice, who, nature, hero if named else None, words),
        *_wish(dice, hero, wish, words),
        *_journey(dice, hero, words),
        *_ending(dice, hero, wish, words),
    ]
    return " ".join(line[0].upper() + line[1:] for line in lines)


def _beginning(dice: random.Random, who: str, nature: str, name: str | None, words: Pronouns) -> list[str]:
    article = "an" if nature[0] in "aeiou" else "a"
    plain, home = f"a {who}" if who[0] not in "aeiou" else f"an {who}", CHARACTERS[who]
    someone = plain if dice.random() < 0.3 else f"{article} {nature} {who}"
    opening = dice.choice(
        ("Once there was", "Once upon a time there was", "Long ago there lived", "There once was")
    )
    if name is None:
        return [f"{opening} {someone} who lived {home}."]
    return [
        dice.choice((f"{opening} {someone} named {name}.", f"{opening} {someone} called {name}.")),
        f"{words.he} lived {home}.",
    ]


def _wish(dice: random.Random, hero: str, wish: str, words: Pronouns) -> list[str]:
    reason = WISHES[wish]
    verb = dice.choice(("wanted", "wished for", "dreamed of", "needed"))
    first = f"{hero} {verb} {wish} {reason}."
    weather = dice.choice(tuple(WEATHERS))
    time = dice.choice(("One morning", "One day", "Early one day", "One evening"))
    lines = [first, f"{time}, when {weather}, {words.he} set out to find it."]
    return [*lines, WEATHERS[weather]] if dice.random() < 0.6 else lines


def _journey(dice: random.Random, hero: str, words: Pronouns) -> list[str]:
    trouble = dice.choice(tuple(TROUBLES))
    helper = dice.choice(HELPERS)
    mended = TROUBLES[trouble].format(him=words.him)
    known = f"the {helper.split(' ', 1)[1]}"
    lines = [
        f"On the way {words.he} {trouble.format(his=words.his)}.",
        f"Then {helper} came by and {mended}.",
    ]
    if dice.random() < 0.7:
        lines.append(f'"{dice.choice(THANKS)}," said {hero}.')
        lines.append(f'"{dice.choice(ANSWERS)}," said {known}.')
    if dice.random() < 0.4:
        lines.append(f"{hero} gave {known} {dice.choice(GIFTS).format(his=words.his)}.")
    return lines


def _ending(dice: random.Random, hero: str, wish: str, words: Pronouns) -> list[str]:
    thing = f"the {wish.split(' ', 1)[1]}"
    where = dice.choice(
        ("behind a big stone", "at the end of the road", "under a tree", "in a market", "beside a well")
    )
    lines = [f"At last {words.he} found {wish} {where}."]
    close = dice.choice(("home", "back home", "home before night"))
    lines.append(f"{hero} went {close} with {thing} and was very happy.")
    if dice.random() < 0.5:
        lines.append(dice.choice(tuple(LESSONS.values())))
    if dice.random() < 0.5:
        lines.append(dice.choice(("And that was a good day.", "The end.", "Everyone was glad.")))
    return lines


def is_tale(text: str) -> bool:
    """Whether a text keeps to the form: whole sentences, and a wish that is found again by the end."""
    if not text.rstrip().endswith((".", '."')):
        return False
    wanted = [wish for wish in WISHES if wish in text]
    return len(wanted) == 1 and f"found {wanted[0]}" in text
