"""What is wished for: everything that a piece can be asked to be."""

from dataclasses import dataclass

METRES = ("2/4", "3/4", "4/4", "6/8")
MOODS = ("happy", "sad", "calm", "energetic", "mysterious", "playful", "romantic", "heroic")
MOST_PITCHED = 5
"""Instruments beside the drums."""


@dataclass(frozen=True)
class Wish:
    """A piece as it is wished for; None (or no instruments) leaves a choice to the model."""

    key: str | None = None
    """Such as `Eb major`."""
    tempo: float | None = None
    """Quarter notes a minute."""
    metre: str | None = None
    """One of METRES."""
    mood: str | None = None
    """One of MOODS."""
    instruments: tuple[str, ...] = ()
    """Names of `pipelines.music.instruments.NAMES`, each once: one to MOST_PITCHED, and drums."""
    bars: int | None = None
    """How many bars, of a piece that is continued: how many new ones. None: as many as `seconds` asks for."""
    seconds: float | None = None
    """How long, where `bars` says nothing; rounded to whole bars."""
