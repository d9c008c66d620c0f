"""What a piece is to be: wishes as they may come, and the arrangement and form that answer them."""

import hashlib
import random
from dataclasses import dataclass

from pipelines.music.instruments import DRUMS, INSTRUMENTS
from pipelines.music.sheet import ROLES
from pipelines.music.theory import key_name, key_parts
from pipelines.music.wish import METRES, MOODS, MOST_PITCHED, Wish
from pipelines.music.words import tempo_class


@dataclass(frozen=True)
class Character:
    """How a mood sounds."""

    minor: float
    """How often its pieces are in minor, where nobody says."""
    tempo: tuple[int, int]
    """Quarter notes a minute that suit it."""
    activity: float
    """Notes of the melody a quarter note, about."""
    dynamic: int
    """Index of LOUDNESS."""
    colour: float
    """Share of chords with a seventh, and of borrowed ones."""
    leaps: float
    """How much leaps cost: 1 is usual."""
    dotted: float = 0
    """How gladly rhythms are dotted or syncopated, −1 to 1."""


CHARACTERS = {
    "happy": Character(0.05, (100, 150), 1.5, 3, 0.15, 0.8, 0.2),
    "sad": Character(0.95, (52, 84), 1.0, 1, 0.3, 1.3, -0.3),
    "calm": Character(0.25, (56, 90), 0.9, 1, 0.35, 1.2, -0.4),
    "energetic": Character(0.4, (125, 180), 1.6, 4, 0.1, 0.8, 0.5),
    "mysterious": Character(0.9, (64, 104), 1.1, 1, 0.5, 1.0, 0),
    "playful": Character(0.15, (104, 160), 1.7, 2, 0.15, 0.5, 0.3),
    "romantic": Character(0.35, (60, 100), 1.1, 2, 0.5, 1.0, 0),
    "heroic": Character(0.45, (92, 132), 1.2, 4, 0.1, 0.6, 0.7),
}

ENSEMBLES = (
    ("piano",), ("guitar",), ("harp",), ("organ",), ("music box",), ("violin", "piano"), ("flute", "harp"),
    ("cello", "piano"), ("flute", "guitar"), ("clarinet", "piano"), ("violin", "cello", "piano"),
    ("flute", "oboe", "clarinet", "bassoon"), ("violin", "cello", "strings"), ("choir", "organ"),
    ("saxophone", "piano", "acoustic bass", DRUMS), ("trumpet", "piano", "acoustic bass", DRUMS),
    ("guitar", "electric bass", DRUMS), ("electric piano", "electric bass", DRUMS),
    ("saxophone", "guitar", "electric bass", DRUMS), ("trumpet", "strings", "choir", DRUMS),
    ("vibraphone", "acoustic bass", DRUMS), ("marimba", "flute", "acoustic bass"),
    ("oboe", "harp", "strings"), ("trumpet", "bassoon", "organ"), ("piano", "strings"),
    ("violin", "flute", "harp", "cello", "strings"), ("piano", "acoustic bass", DRUMS),
)  # fmt: skip
"""Instruments that are often heard together."""

_LENGTHS = (4, 5, 6, 7, 8, 8, 8, 9, 10, 10, 11, 12, 12, 13, 14, 15, 16, 16, 16, 18, 20, 24)
_FORMS = ("AABA", "ABAC", "ABAB", "AABB", "ABAA", "ABCA", "AABC", "ABCB", "AAAB")


def draw_wish(dice: random.Random, *, held_out: bool = False) -> Wish:
    """A whole wish, everything in it said; of the combinations kept from training, or of all others."""
    while True:
        mood = dice.choice(MOODS)
        character = CHARACTERS[mood]
        mode = "minor" if dice.random() < 0.15 + 0.7 * character.minor else "major"
        usual = dice.random() < 0.6
        tempo = dice.randint(*(character.tempo if usual else (48, 190)))
        wish = Wish(
            key=key_name(dice.randrange(12), mode),
            tempo=tempo,
            metre=dice.choices(METRES, (1, 2, 4, 2))[0],
            mood=mood,
            instruments=_instruments(dice),
            bars=dice.choice(_LENGTHS),
        )
        if is_held_out(wish) == held_out:
            return wish


def is_held_out(wish: Wish) -> bool:
    """Whether training never sees this combination: one in ten of all, by a hash of what the piece is."""
    said = (key_parts(wish.key)[1], tempo_class(wish.tempo), wish.metre, wish.mood, sorted(wish.instruments))
    return hashlib.sha256(repr(said).encode()).digest()[0] % 10 == 0


def _instruments(dice: random.Random) -> tuple[str, ...]:
    if dice.random() < 0.4:
        return dice.choice(ENSEMBLES)
    count = dice.choices(range(1, MOST_PITCHED + 1), (3, 5, 5, 3, 2))[0]
    chosen = dice.sample(list(INSTRUMENTS), count)
    return (*chosen, DRUMS) if dice.random() < 0.35 else tuple(chosen)


def arrange(instruments: tuple[str, ...], dice: random.Random) -> dict[str, str]:
    """Which instrument plays which role. Each plays at least one; those that play chords may play more."""
    left = [name for name in instruments if name != DRUMS]
    roles = {"melody": _singer(left, dice)}
    left.remove(roles["melody"])
    basses = [name for name in left if INSTRUMENTS[name].bass > 0]
    if basses:
        roles["bass"] = max(basses, key=lambda name: INSTRUMENTS[name].bass + dice.random() / 10)
        left.remove(roles["bass"])
    chords = [name for name in left if INSTRUMENTS[name].chords]
    if chords:
        roles["chords"] = max(chords, key=lambda name: dice.random() - INSTRUMENTS[name].sings)
        left.remove(roles["chords"])
    for role, name in zip(("counter", "inner"), sorted(left, key=_height, reverse=True), strict=False):
        roles[role] = name
    rest = [name for name in left if name not in roles.values()]
    for role, name in zip([role for role in ("bass", "chords") if role not in roles], rest, strict=False):
        roles[role] = name
    _fill(roles, dice)
    if DRUMS in instruments:
        roles[DRUMS] = DRUMS
    return {role: roles[role] for role in ROLES if role in roles}


def _fill(roles: dict[str, str], dice: random.Random) -> None:
    """Give bass and chords to instruments that can play them beside what they play already."""
    own = set(roles.values())
    if "chords" not in roles:
        able = [name for name in own if INSTRUMENTS[name].chords]
        if able and (len(own) == 1 or dice.random() < 0.9):
            roles["chords"] = dice.choice(sorted(able))
    if "bass" not in roles:
        able = [name for name in own if INSTRUMENTS[name].bass >= 0.3 and INSTRUMENTS[name].chords]
        if able:
            roles["bass"] = max(sorted(able), key=lambda name: INSTRUMENTS[name].bass)


def _singer(names: list[str], dice: random.Random) -> str:
    """The melody goes to one that sings, rather a high one, so that it is the upper voice."""
    weight = {name: INSTRUMENTS[name].sings * 2 ** ((_height(name) - 66) / 6) for name in names}
    return dice.choices(names, [weight[name] ** 1.5 for name in names])[0]


def _height(name: str) -> float:
    return (INSTRUMENTS[name].low + INSTRUMENTS[name].high) / 2


def form(bars: int, dice: random.Random) -> list[tuple[str, int]]:
    """Letters and lengths of the phrases of so many bars: mostly fours, in a usual order of letters."""
    size = 8 if bars >= 24 and dice.random() < 0.3 else 4
    if bars <= 5:
        return [("A", bars)]
    lengths = [size] * (bars // size)
    over = bars % size
    if over == 1:
        lengths[-1] += 1
    elif over:
        lengths.append(over)
    letters = dice.choice(_FORMS)
    named = [letters[number % 4] for number in range(len(lengths))]
    if over > 1:
        named[-1] = dice.choice("ADD")
    return list(zip(named, lengths, strict=True))
