"""The instruments that the songbook writes for: General MIDI programs, ranges, and what each can do."""

from dataclasses import dataclass

DRUMS = "drums"
"""The drum kit: it has no program of its own, but General MIDI's channel 10."""


@dataclass(frozen=True)
class Instrument:
    """One instrument as an arranger sees it."""

    name: str
    program: int
    """General MIDI's program, from 0."""
    low: int
    """Lowest MIDI key that is written for it in C; six less and six more are played in other keys."""
    high: int
    sings: float
    """How gladly it is given the melody, 0 to 1."""
    chords: bool
    """Whether it plays several notes at once."""
    bass: float
    """How gladly it is given the bass, 0 to 1."""


INSTRUMENTS = {
    row.name: row
    for row in (
        Instrument("piano", 0, 34, 88, 0.7, True, 0.5),
        Instrument("electric piano", 4, 36, 84, 0.5, True, 0.4),
        Instrument("music box", 10, 62, 92, 0.5, True, 0),
        Instrument("vibraphone", 11, 56, 84, 0.5, True, 0),
        Instrument("marimba", 12, 48, 86, 0.5, True, 0.2),
        Instrument("organ", 19, 38, 82, 0.4, True, 0.5),
        Instrument("guitar", 24, 46, 76, 0.4, True, 0.3),
        Instrument("acoustic bass", 32, 34, 58, 0.02, False, 1),
        Instrument("electric bass", 33, 34, 58, 0.02, False, 1),
        Instrument("violin", 40, 61, 90, 1, False, 0),
        Instrument("cello", 42, 42, 70, 0.5, False, 0.8),
        Instrument("harp", 46, 40, 86, 0.3, True, 0.3),
        Instrument("strings", 48, 42, 84, 0.4, True, 0.3),
        Instrument("choir", 52, 50, 76, 0.4, True, 0),
        Instrument("trumpet", 56, 60, 80, 0.9, False, 0),
        Instrument("saxophone", 65, 55, 79, 0.9, False, 0.1),
        Instrument("oboe", 68, 64, 84, 1, False, 0),
        Instrument("bassoon", 70, 40, 66, 0.3, False, 0.8),
        Instrument("clarinet", 71, 58, 86, 1, False, 0),
        Instrument("flute", 73, 66, 90, 1, False, 0),
    )
}
"""By name."""

NAMES = (*INSTRUMENTS, DRUMS)
"""All that may be wished for."""

BY_PROGRAM = {row.program: row.name for row in INSTRUMENTS.values()}
