"""Going on from somebody else's score."""

from dataclasses import replace

import pytest

from pipelines.music.continuing import joined, key_heard, read_as, readable
from pipelines.music.instruments import INSTRUMENTS, NAMES
from pipelines.music.score import Note, Part, Score


def part(program: int, *pitches: int, drums: bool = False, start: int = 0) -> Part:
    notes = tuple(Note(start + 12 * at, 12, pitch, 80) for at, pitch in enumerate(pitches))
    return Part(f"program {program}", program, notes, drums)


def begun(*parts: Part, key: str | None = None) -> Score:
    return Score(120, "4/4", key, parts, 1)


@pytest.mark.parametrize("program", range(128))
def test_every_program_is_read_as_an_instrument(program: int) -> None:
    assert read_as(part(program, 60)) in NAMES
    assert read_as(part(program, 36, drums=True)) == "drums"


def test_the_songbooks_own_instruments_are_read_as_themselves() -> None:
    assert all(read_as(part(row.program, 60)) == name for name, row in INSTRUMENTS.items())


def test_parts_that_come_to_the_same_instrument_are_read_as_one() -> None:
    score = readable(begun(part(0, 60, 64), part(1, 67), part(40, 72), part(0, 36, drums=True)))

    assert [one.name for one in score.parts] == ["piano", "violin", "drums"]
    assert [note.pitch for note in score.parts[0].notes] == [60, 67, 64]
    assert [one.program for one in score.parts] == [0, 40, 0]


def test_what_was_begun_stays_and_its_players_go_on() -> None:
    begin = begun(part(1, 60, 64, 67, 72), part(41, 76))
    written = replace(
        readable(begin),
        key="C major",
        bars=2,
        parts=(part(0, 1, 2, 3, 4, 65, 69), part(40, 1, 2, 3, 4, 77), part(73, 88, start=48)),
    )

    whole = joined(begin, written)

    assert [one.program for one in whole.parts] == [1, 41, 73]
    assert [note.pitch for note in whole.parts[0].notes] == [60, 64, 67, 72, 65, 69]
    assert [note.pitch for note in whole.parts[1].notes] == [76, 77]
    assert (whole.bars, whole.tempo, whole.key) == (2, 120, "C major")


def test_a_key_is_what_the_file_says_unless_it_says_nothing() -> None:
    scale = part(0, 62, 64, 66, 67, 69, 71, 73, 74, 62, 69, 66, 62)

    assert key_heard(begun(scale)) == "D major"
    assert key_heard(begun(scale, key="C major")) == "D major"
    assert key_heard(begun(scale, key="Gb major")) == "F# major"
