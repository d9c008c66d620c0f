"""From what is asked for to a whole wish: what nobody has said is drawn by the seed, the tempo so that the
piece is as long as is asked for."""

import math
import random

from pipelines.music.instruments import DRUMS, INSTRUMENTS
from pipelines.music.prompts import Heard, Range
from pipelines.music.score import TICKS, bar_ticks, bars_for
from pipelines.music.theory import key_name
from pipelines.music.wish import MOODS, MOST_PITCHED, Wish

SUITS: dict[str, tuple[float, Range]] = {
    "happy": (0.05, (100, 150)),
    "sad": (0.95, (54, 84)),
    "calm": (0.25, (58, 90)),
    "energetic": (0.4, (125, 176)),
    "mysterious": (0.9, (66, 104)),
    "playful": (0.15, (104, 156)),
    "romantic": (0.35, (62, 100)),
    "heroic": (0.45, (92, 132)),
}
"""How often a mood is in minor, and its tempos, where nobody says."""

BANDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "happy": (
        *(("flute", "guitar", "acoustic bass"), ("clarinet", "piano", "acoustic bass", DRUMS)),
        ("violin", "guitar"),
    ),
    "sad": (("cello", "piano"), ("oboe", "strings", "harp"), ("violin", "piano", "cello")),
    "calm": (("flute", "harp", "strings"), ("piano", "strings"), ("guitar", "flute")),
    "energetic": (
        ("saxophone", "electric piano", "electric bass", DRUMS),
        ("trumpet", "guitar", "electric bass", DRUMS),
    ),
    "mysterious": (
        *(("clarinet", "vibraphone", "strings"), ("cello", "choir", "harp")),
        ("bassoon", "marimba", "strings"),
    ),
    "playful": (
        *(("clarinet", "bassoon", "marimba"), ("flute", "music box", "guitar")),
        ("oboe", "marimba", "acoustic bass"),
    ),
    "romantic": (
        *(("violin", "strings", "harp"), ("oboe", "piano", "cello")),
        ("saxophone", "piano", "acoustic bass", DRUMS),
    ),
    "heroic": (("trumpet", "strings", "choir", DRUMS), ("violin", "trumpet", "strings", DRUMS)),
}
"""Who plays, where nobody says."""

METRES_DRAWN = {"4/4": 6, "3/4": 3, "6/8": 2, "2/4": 1}
"""How often each is taken where nobody says."""

WHOLE_PHRASES = 0.12
"""By how much of itself a tempo may be farther from the one that was drawn so that phrases of four bars come
out whole."""


def whole_wish(heard: Heard, seconds: float, seed: int) -> Wish:
    """A wish in which everything is said, for a piece of `seconds`. The same for the same seed.

    Where a tempo is said as a number, the piece has the nearest whole number of bars; else the tempo is
    chosen so that whole bars fill the time, where one within the range does.
    """
    dice = random.Random(seed)
    mood = heard.mood or _mood(heard.mode, dice)
    minor, tempos = SUITS[mood]
    mode = heard.mode or ("minor" if dice.random() < minor else "major")
    key = heard.key or key_name(dice.randrange(12), mode)
    metre = heard.metre or dice.choices(list(METRES_DRAWN), list(METRES_DRAWN.values()))[0]
    instruments = _instruments(heard, mood, dice)
    tempo, bars = fitted(heard.tempo or tempos, metre, seconds, dice)
    return Wish(key, tempo, metre, mood, instruments, bars, seconds)


def fitted(tempos: Range, metre: str, seconds: float, dice: random.Random) -> tuple[float, int]:
    """A tempo within the range, and how many bars, that together are as long as `seconds`."""
    slowest, fastest = tempos
    drawn = dice.uniform(slowest, fastest)
    if slowest == fastest:
        return slowest, bars_for(seconds, slowest, metre)
    one = bar_ticks(metre) / TICKS * 60 / seconds  # the tempo at which one bar is as long
    choices = [bars for bars in range(1, math.floor(fastest / one) + 1) if slowest <= bars * one]
    if not choices:  # a piece of a bar or two
        bars = bars_for(seconds, drawn, metre)
        return round(min(max(bars * one, slowest), fastest), 3), bars

    def off(bars: int) -> float:
        return abs(math.log(bars * one / drawn)) + (WHOLE_PHRASES if bars % 4 else 0)

    bars = min(choices, key=off)
    return round(bars * one, 3), bars


def likely_mood(mode: str, tempo: float) -> str:
    """The mood that a piece in this mode and tempo most likely has."""

    def off(mood: str) -> float:
        minor, (slowest, fastest) = SUITS[mood]
        beyond = max(math.log(slowest / tempo), math.log(tempo / fastest), 0.0)
        return 5 * beyond + (1 - minor if mode == "minor" else minor)

    return min(SUITS, key=off)


def _mood(mode: str | None, dice: random.Random) -> str:
    """Any mood; where a mode is said, one that is often in it."""
    moods = [mood for mood in MOODS if mode is None or (SUITS[mood][0] > 0.3) == (mode == "minor")]
    return dice.choice(moods)


def _instruments(heard: Heard, mood: str, dice: random.Random) -> tuple[str, ...]:
    """Those that are said; where none is, or drums alone, a band that suits the mood."""
    said = [name for name in heard.instruments if name != DRUMS]
    drums = DRUMS in heard.instruments
    if not said:
        band = dice.choice(BANDS[mood])
        said = [name for name in band if name != DRUMS and name not in heard.without]
        said = said or [name for name in INSTRUMENTS if name not in heard.without][:1]
        drums = drums or (DRUMS in band and DRUMS not in heard.without)
    return (*said[:MOST_PITCHED], *([DRUMS] if drums else []))
