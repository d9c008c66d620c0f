"""Keys and chords as numbers."""

import pytest

from pipelines.kinds.music import Key
from pipelines.music.theory import CHORDS, MODES, chord, key_name, key_parts, tonic_pitch

KEYS = Key.__args__


@pytest.mark.parametrize("key", KEYS)
def test_every_key_that_may_be_asked_for_is_known_by_the_same_name(key):
    assert key_name(*key_parts(key)) == key


def test_the_tonic_of_a_key_is_near_middle_c():
    assert {tonic_pitch(key) for key in KEYS} == set(range(55, 67))
    assert tonic_pitch("A minor") == 57
    assert tonic_pitch("F# minor") == 66


def test_other_spellings_are_the_same_tonic():
    assert key_parts("Cb major") == key_parts("B major")
    assert key_parts("E# minor") == key_parts("F minor")


@pytest.mark.parametrize("key", ["", "H major", "C", "C lydian", "Cx minor", "major"])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(ValueError, match="no key"):
        key_parts(key)


def test_chords_have_their_notes():
    assert chord("7:7").tones == (7, 11, 2, 5)
    assert chord("2:m7b5").tones == (2, 5, 8, 0)


def test_a_chord_is_written_as_it_is_read():
    for mode in MODES:
        assert all(chord(str(each)) == each for each in CHORDS[mode])


@pytest.mark.parametrize(
    ("name", "leads"), [("7:maj", True), ("2:7", True), ("11:dim7", True), ("5:maj", False)]
)
def test_dominants_lead(name, leads):
    assert chord(name).dominant == leads
