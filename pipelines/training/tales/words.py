"""The world of the tales: who there is, what is wished for, where, when, and what gets in the way.

It is the scenes' world (their things, colours and backgrounds) with creatures in it. The lexicon gives each
role's keys and their forms, as phrases of `phrases.Grammar`.
"""

from __future__ import annotations

from pipelines.training.scenes.vocabulary import COLOURS, THINGS
from pipelines.training.tales.phrases import words

CREATURES = {  # who: where such live
    "forest": "fox owl bear squirrel deer wolf hedgehog snail woodcutter hunter tiger monkey elf dwarf",
    "field": "mouse rabbit hen goat sheep horse cow donkey goose farmer shepherd elephant",
    "water": "frog duck turtle fish whale otter swan crab penguin sailor fisherman pirate mermaid",
    "village": "cat dog girl boy baker miller teacher grandmother painter child robot doctor astronaut",
    "castle": "king queen princess prince knight dragon cook wizard witch giant ghost lion",
    "sky": "bird crow butterfly bee eagle parrot spider angel fairy unicorn",
}
LIVES = {who: where for where, names in CREATURES.items() for who in names.split()}
SHE = frozenset(words("hen cow mermaid girl grandmother queen princess witch fairy"))
HE = frozenset(words("fisherman boy king prince wizard woodcutter"))
TRADES = {  # whose pronoun goes by the name; without one, it is this
    "she": frozenset(words("teacher painter doctor astronaut angel elf")),
    "he": frozenset(words("farmer shepherd sailor pirate baker miller hunter dwarf cook knight giant")),
}

WOMEN = words("Ana Cleo Elsa Greta Iris Kaya Mira Nora Olga Rosa Tilda Vera Wilma Zoe Lina Ella")
MEN = words("Bram Dov Finn Hugo Jon Leo Nils Otto Paul Rolf Sam Theo Udo Viktor Yuri Max")
NAMES = frozenset(WOMEN + MEN)

TRAITS = words(
    "small old clever brave shy kind lonely merry hungry curious lazy proud gentle quiet young tired "
    "wise cheerful patient sleepy stubborn honest careful bold little poor happy sad"
)
OBJECTS = words(
    "key bell lamp kite ball hat book drum cup apple flower stone feather shell ring lantern crown rose "
    "balloon coat flag door wagon umbrella castle cake sword ship car train guitar map letter shoe carrot "
    "chair clock candle basket doll mirror pencil blanket violin"
)
TINTS = (*COLOURS, "golden", "silver", "magic", "grey")  # the last ones for things that no scene draws
MARKS = ("tree", "hill", "house", "boat")  # what of the scenes something can be found at

WHEN = {  # a scene's background: how tales speak of it
    "day": {
        "title": "[by day|in daylight]",
        "one": "one [bright|warm|clear|sunny] day",
        "sky": (
            "[the sky was clear|birds sang everywhere|the day was bright|a light wind blew over the meadow]"
        ),
        "until": "until [the day was over|the day ended]",
        "ask": "[by day|on a sunny day|during the day]",
        "noun": "[a sunny day|the day]",
        "word": "[day|sunny day]",
    },
    "night": {
        "title": "at night",
        "one": "one [dark|quiet|clear|cold] night",
        "sky": (
            "[the stars shone|it was dark and quiet|the night was clear|an icy wind blew through the night]"
        ),
        "until": "until [the night was over|the morning came]",
        "ask": "[at night|by night|in the night]",
        "noun": "[the night|a dark night|one night]",
        "word": "night",
    },
    "sunset": {
        "title": "at sunset",
        "one": "one [warm|quiet|calm|golden] evening at sunset",
        "sky": (
            "[the sky glowed|the last light lay on the fields|the sun went down slowly|the evening sky "
            "burned]"
        ),
        "until": "until [the evening was over|the sun had set]",
        "ask": "[at sunset|in the sunset|at dusk]",
        "noun": "[the sunset|a sunset]",
        "word": "sunset",
    },
    "sea": {
        "title": "by the sea",
        "one": "one [windy|calm|bright|stormy] day by the sea",
        "sky": "[the waves were high|the water glittered|salt was in the air|the sea sang its old song]",
        "until": "until [the waves were still|the tide came in]",
        "ask": "[by the sea|at sea|on the sea]",
        "noun": "[the sea|the ocean]",
        "word": "sea",
    },
}
HOMES = {
    "forest": "[in a deep forest|in an old oak tree|under the roots of a tree|at the edge of the forest]",
    "field": "[on a farm|under a barn|beside a wide meadow|behind a hedge]",
    "water": "[by the water|near a quiet lake|at the mouth of a river|by a harbour]",
    "village": "[in a small village|in a little town|in a narrow street|next to the market]",
    "castle": "[in a tall castle|in an old tower|behind thick walls|in the ruins of a castle]",
    "sky": "[high above the valley|in a nest of clouds|on the top of a mountain|where the wind lives]",
    "anywhere": (
        "[in a land far away|far away behind seven hills|near the end of the world|in a quiet valley]"
    ),
}
REASONS = {
    "look": "to look at it every day",
    "show": "to show it to everyone at home",
    "dream": "to have something to dream of",
    "friend": "to share it with a friend",
    "brave": "to prove that even the smallest can do great things",
    "play": "to play with it all day long",
    "cold": "to forget the long cold winter",
    "song": "to make up a song about it",
    "grandmother": "to keep a promise",
    "nobody": "that nobody had ever seen before",
}
TROUBLES = {  # what happens on the way; how somebody mends it
    "river": ("came to a deep river", "carried {he.him} across"),
    "path": ("lost the way", "showed {he.him} the right path"),
    "hole": ("fell into a hole", "pulled {he.him} out with a rope"),
    "wall": ("stood before a high wall", "lent {he.him} a ladder"),
    "tired": ("grew very tired", "gave {he.him} a place to sleep"),
    "bridge": ("found the bridge broken", "mended the bridge with strong wood"),
    "noise": ("heard a strange noise", "said that it was only the wind"),
    "shoes": ("hurt {he.his} foot", "wrapped the foot in soft leaves"),
    "storm": ("was caught in a storm", "offered {he.him} a dry roof"),
    "thirst": ("was hungry and thirsty", "shared bread and water with {he.him}"),
    "gate": ("came to a locked gate", "opened the gate with a rusty key"),
    "fog": ("could see nothing in the fog", "lit a candle for {he.him}"),
    "ice": ("slipped on the ice", "helped {he.him} up again"),
    "map": ("lost {he.his} map", "drew a new map in the sand"),
}
LESSONS = {
    "help": "a little help is worth more than gold",
    "begin": "who dares to begin has gone half the way",
    "walk": "good things come to those who keep walking",
    "friend": "a friend makes every road short",
    "wish": "a wish is the beginning of a journey",
    "small": "even small steps lead far",
}
SIDES = ("beside", "behind", "opposite", "near", "next to", "close to")
PLOTS = ("search", "lost", "gift")


def _same(keys: tuple[str, ...] | list[str] | dict) -> dict[str, dict[str, str]]:
    return {word: {"word": word} for word in keys}


THING_WORDS = (*THINGS, *OBJECTS)
LEXICON = {
    "hero": _same([*LIVES, *THINGS]),
    "helper": _same(list(LIVES)),
    "friend": {"none": {}, **_same(list(LIVES))},
    "name": {"none": {}, **_same(sorted(NAMES))},
    "trait": {"none": {}, **_same(TRAITS)},
    "coat": {"none": {}, **_same(tuple(COLOURS))},
    "colour": _same(TINTS),
    "thing": _same(THING_WORDS),
    "markcolour": _same(tuple(COLOURS)),
    "mark": _same(MARKS),
    "side": _same(SIDES),
    "home": {key: {"word": phrase} for key, phrase in HOMES.items()},
    "reason": {key: {"word": phrase} for key, phrase in REASONS.items()},
    "lesson": {key: {"word": phrase} for key, phrase in LESSONS.items()},
    "trouble": {key: {"met": met, "mended": mended} for key, (met, mended) in TROUBLES.items()},
    "when": WHEN,
    "he": {
        "she": {"he": "she", "him": "her", "his": "her"},
        "he": {"he": "he", "him": "him", "his": "his"},
        "it": {"he": "it", "him": "it", "his": "its"},
    },
    "plot": {plot: {} for plot in PLOTS},
}
