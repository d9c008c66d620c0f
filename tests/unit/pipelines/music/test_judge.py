"""The judge of scores: it hears what was wished for, and which bars break a rule."""

from dataclasses import replace

import pytest

from pipelines.music.hearing import instruments_of, keeps_pulse, key_margin, key_of, outer
from pipelines.music.judge import broken_bars, faults
from pipelines.music.score import Note, Part, Score
from pipelines.music.wish import Wish

BAR = 48


def voice(name, program, *pitches, length=12, start=0):
    """Pitches one after the other; None is a rest."""
    notes = [
        Note(start + number * length, length, pitch, 80) for number, pitch in enumerate(pitches) if pitch
    ]
    return Part(name, program, tuple(notes))


def four_bars(*tune, bass=(48, 53, 43, 48), key="C major"):
    """C, F, G, C in whole notes under a tune in quarters."""
    chords = {48: (60, 64), 53: (57, 60), 43: (59, 62)}
    pad = tuple(
        Note(number * BAR, BAR, pitch, 60)
        for number, root in enumerate((48, 53, 43, 48))
        for pitch in chords[root]
    )
    return Score(
        100,
        "4/4",
        key,
        (
            voice("flute", 73, *tune),
            voice("cello", 42, *bass, length=BAR),
            Part("piano", 0, pad),
        ),
        4,
    )


TUNE = (76, 74, 72, 67, 69, 71, 72, 69, 71, 72, 74, 71, 72, 76, 79, 84)
GOOD = four_bars(*TUNE)
WISH = Wish("C major", 100, "4/4", "happy", ("flute", "cello", "piano"), 4)


def test_a_good_piece_has_no_fault():
    assert faults(GOOD, WISH) == set()
    assert broken_bars(GOOD) == [set(), set(), set(), set()]


@pytest.mark.parametrize(
    ("thing", "wish"),
    [
        ("key", replace(WISH, key="A minor")),
        ("key", replace(WISH, key="G major")),
        ("tempo", replace(WISH, tempo=104)),
        ("tempo", replace(WISH, tempo=200)),
        ("metre", replace(WISH, metre="3/4")),
        ("instruments", replace(WISH, instruments=("flute", "piano"))),
        ("instruments", replace(WISH, instruments=("flute", "cello", "piano", "drums"))),
        ("length", replace(WISH, bars=6)),
        ("length", replace(WISH, bars=None, seconds=20)),
    ],
)
def test_each_thing_that_is_not_as_wished_is_named(thing, wish):
    assert faults(GOOD, wish) == {thing}


def test_what_was_not_wished_for_is_right():
    assert faults(GOOD, Wish()) == set()


def test_a_bar_more_or_less_is_the_length_that_was_wished():
    assert faults(GOOD, replace(WISH, bars=5)) == set()


def test_a_part_without_notes_does_not_play():
    silent = replace(GOOD, parts=(*GOOD.parts, Part("oboe", 68, ())))
    assert instruments_of(silent) == {"flute", "cello", "piano"}


def spoilt(place, pitch):
    return four_bars(*TUNE[:place], pitch, *TUNE[place + 1 :])


def test_a_strange_note_on_a_strong_beat_is_heard():
    assert broken_bars(spoilt(8, 73))[2] == {"strong"}


def test_a_strange_note_between_leaps_is_heard():
    assert broken_bars(spoilt(13, 75))[3] == {"chord"}


def test_a_passing_note_is_right():
    assert broken_bars(spoilt(1, 74))[0] == set()  # E, D, C over C


def test_a_leap_of_a_tritone_is_heard():
    assert "leap" in broken_bars(spoilt(5, 75), "C major")[1]


def test_parallel_octaves_of_the_outer_voices_are_heard():
    octaves = four_bars(72, 76, 79, 72, 77, 72, 69, 72, 67, 71, 74, 71, 72, 76, 79, 72)
    assert broken_bars(octaves, "C major")[1] == {"parallel"}  # from C over C to F over F
    assert broken_bars(octaves, "C major")[3] == set()  # B over G to C over C is no parallel


def test_a_leading_tone_that_falls_is_heard():
    assert broken_bars(spoilt(12, 67), "C major")[3] >= {"leading"}


def test_a_piece_that_ends_elsewhere_is_heard():
    assert "end" in broken_bars(spoilt(15, 77), "C major")[3]


SUSPENDED = ((0, 24, 72), (24, 36, 79), (60, 12, 77), (72, 24, 69), (96, 48, 71), (144, 48, 72))
"""Start, length and pitch: a G that is held over the bar line, and steps down to F over F."""


@pytest.mark.parametrize(("after", "broken"), [(77, set()), (81, {"chord"})])
def test_a_suspension_steps_down(after, broken):
    tune = tuple(Note(at, long, after if pitch == 77 else pitch, 80) for at, long, pitch in SUSPENDED)
    held = replace(GOOD, parts=(Part("flute", 73, tune), *GOOD.parts[1:]))
    assert broken_bars(held, "C major")[1] == broken


def test_the_key_that_fits_has_the_margin():
    assert key_of(GOOD) == "C major"
    assert key_margin(GOOD, "C major") > 0 > key_margin(GOOD, "A minor")


def test_the_pulse_is_heard_from_where_notes_begin():
    assert keeps_pulse(GOOD, 100)
    assert not keeps_pulse(GOOD, 111)


def test_outer_voices_are_found_by_their_pitch():
    top, low = outer(replace(GOOD, parts=GOOD.parts[::-1]))
    assert (top.name, low.name) == ("flute", "cello")
