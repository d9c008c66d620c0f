"""Scores and their MIDI files."""

import io

import mido
import pytest

from pipelines.music.score import Note, Part, Score, bar_ticks, bars_for

SCORE = Score(
    tempo=96,
    metre="3/4",
    key="Eb minor",
    parts=(
        Part("flute", 73, (Note(0, 12, 75, 90), Note(12, 12, 75, 80), Note(24, 12, 78, 70))),
        Part("piano", 0, (Note(0, 36, 51, 60), Note(0, 36, 58, 60))),
        Part("drums", 0, (Note(0, 6, 36, 100), Note(12, 6, 42, 100)), drums=True),
    ),
    bars=2,
)


def test_a_score_comes_back_from_its_midi_file():
    back = Score.from_midi(SCORE.to_midi())
    assert (back.tempo, back.metre, back.key) == (96, "3/4", "Eb minor")
    assert back.parts == SCORE.parts


def test_a_midi_file_lasts_as_long_as_the_score():
    file = mido.MidiFile(file=io.BytesIO(SCORE.to_midi()))
    assert file.length == pytest.approx(SCORE.seconds, abs=0.01)
    assert SCORE.seconds == pytest.approx(6 * 60 / 96)


def test_a_repeated_key_sounds_again():
    flute = Score.from_midi(SCORE.to_midi()).parts[0]
    assert [note.start for note in flute.notes if note.pitch == 75] == [0, 12]


def test_notes_off_the_grid_are_rounded_and_never_empty():
    file = mido.MidiFile(ticks_per_beat=100)
    track = mido.MidiTrack()
    track += [
        mido.Message("note_on", note=60, velocity=50, time=26),
        mido.Message("note_on", note=60, velocity=0, time=1),
        mido.Message("note_on", note=64, velocity=50, time=73),
    ]
    file.tracks.append(track)
    data = io.BytesIO()
    file.save(file=data)
    score = Score.from_midi(data.getvalue())
    assert score.parts[0].notes == (Note(3, 1, 60, 50), Note(12, 1, 64, 50))
    assert (score.tempo, score.metre, score.key, score.bars) == (120, "4/4", None, 1)


@pytest.mark.parametrize("data", [b"", b"MThd", b"RIFF" + bytes(40), SCORE.to_midi()[:60]])
def test_what_is_no_midi_file_is_refused(data):
    with pytest.raises(ValueError, match="MIDI"):
        Score.from_midi(data)


def test_a_file_without_notes_is_refused():
    empty = Score(120, "4/4", None, (Part("", 0, ()),), 1)
    with pytest.raises(ValueError, match="no notes"):
        Score.from_midi(empty.to_midi())


def test_more_parts_than_channels_are_refused():
    part = Part("piano", 0, (Note(0, 1, 60, 1),))
    with pytest.raises(ValueError, match="15 parts"):
        Score(120, "4/4", None, (part,) * 16, 1).to_midi()


@pytest.mark.parametrize(
    ("metre", "ticks"), [("4/4", 48), ("3/4", 36), ("2/4", 24), ("6/8", 36), ("7/8", 42)]
)
def test_bars_have_their_length(metre, ticks):
    assert bar_ticks(metre) == ticks


@pytest.mark.parametrize("metre", ["", "4", "0/4", "4/0", "1/64", "x/4"])
def test_what_is_no_metre_is_refused(metre):
    with pytest.raises(ValueError, match=r"metre|ticks"):
        bar_ticks(metre)


def test_seconds_become_whole_bars():
    assert bars_for(20, 120, "4/4") == 10
    assert bars_for(0.1, 60, "4/4") == 1
