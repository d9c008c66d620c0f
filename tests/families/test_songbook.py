"""What is particular about the songbook: words and fields, what it refuses, its score, its sound, MIDI files
gone on from. The network is tiny and random; the grammar makes whole pieces of what it says."""

import io
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from pipelines.base import Request
from pipelines.errors import InvalidInputs, Stopped
from pipelines.families.songbook import Songbook
from pipelines.kinds import parse_inputs
from pipelines.music.instruments import INSTRUMENTS, NAMES
from pipelines.music.mastering import loudness, true_peak
from pipelines.music.score import Note, Part, Score
from pipelines.music.synth import TAIL
from tests.families import samples
from tests.families.cases import Given
from tests.families.tiny.songbook import save_transformer
from tests.families.trying import Told


@pytest.fixture(scope="module")
def songbook(tmp_path_factory: pytest.TempPathFactory) -> Songbook:
    folder = tmp_path_factory.mktemp("songbook") / "tiny"
    save_transformer(folder)
    return Songbook.load(folder / "weights", "cpu", "auto")


def asked(prompt: str = "a waltz", midi: Path | None = None, **inputs: Any) -> Request:
    kind = "continue-music" if midi else "text-to-music"
    raw = {"prompt": prompt, "seed": 7, "duration_seconds": 6, **inputs}
    if midi:
        raw["audio"] = {"upload": "u"}
    return Request("r", kind, parse_inputs(kind, raw), {"audio": midi} if midi else {})


def midi(folder: Path, *parts: Part, metre: str = "4/4", tempo: float = 100) -> Path:
    file = folder / "begun.mid"
    file.write_bytes(Score(tempo, metre, None, parts, 2).to_midi())
    return file


def tune(program: int = 0, *, drums: bool = False) -> Part:
    pitches = (60, 64, 67, 72, 71, 67, 65, 62)
    return Part("tune", program, tuple(Note(12 * at, 12, p, 80) for at, p in enumerate(pitches)), drums)


def test_words_and_fields_are_heard_in_what_it_makes(songbook: Songbook) -> None:
    request = asked("a slow sad waltz for flute and cello in D minor", duration_seconds=12)

    [[piece]] = songbook.run([request], Told())

    assert piece.facts["key"] == "D minor"
    assert piece.facts["metre"] == "3/4"
    assert piece.facts["mood"] == "sad"
    assert piece.facts["instruments"] == "flute, cello"
    assert 56 <= float(piece.facts["tempo"]) <= 75
    assert len(piece.value.samples) == 12 * piece.value.rate


def test_fields_go_before_words(songbook: Songbook) -> None:
    fields = {"key": "F major", "tempo": 120, "metre": "2/4", "instruments": ["Sax", "drums"]}
    request = asked("a slow sad waltz for banjo in D minor", **fields)

    [[piece]] = songbook.run([request], Told())

    score = Score.from_midi(piece.value.score)
    assert (score.key, score.tempo, score.metre) == ("F major", 120, "2/4")
    assert piece.facts["instruments"] == "saxophone, drums"
    seconds = len(piece.value.samples) / piece.value.rate
    assert seconds == pytest.approx(piece.facts["bars"] + TAIL, abs=0.06)  # a bar of 2/4 is a second
    assert abs(seconds - 6) <= 1


def test_its_score_is_a_midi_file_with_the_programs_of_its_instruments(songbook: Songbook) -> None:
    names = ["flute", "harp", "strings", "drums"]
    [[piece]] = songbook.run([asked(instruments=names)], Told())

    file = mido.MidiFile(file=io.BytesIO(piece.value.score))

    programs = [
        message.program for message in file if message.type == "program_change" and message.channel != 9
    ]
    assert set(programs) == {INSTRUMENTS[name].program for name in names[:3]}
    assert any(message.type == "note_on" and message.channel == 9 for message in file)
    assert file.length == pytest.approx(len(piece.value.samples) / piece.value.rate - TAIL, abs=0.06)


def test_its_sound_is_stereo_mastered_and_ends_in_silence(songbook: Songbook) -> None:
    [[piece]] = songbook.run([asked("an energetic tune")], Told())

    heard = piece.value.samples.T
    assert heard.shape[0] == 2
    assert loudness(heard, piece.value.rate) == pytest.approx(-14, abs=0.5)
    assert true_peak(heard) <= -0.99
    assert np.abs(heard[:, -1000:]).max() < 1e-3
    assert np.abs(heard[0] - heard[1]).max() > 0.01


def test_each_output_has_a_seed_of_its_own(songbook: Songbook) -> None:
    [pieces] = songbook.run([asked("music", n=3)], Told())
    [[alone]] = songbook.run([asked("music", seed=8)], Told())

    assert [piece.seed for piece in pieces] == [7, 8, 9]
    assert len({piece.value.score for piece in pieces}) == 3
    assert pieces[1].value.score == alone.value.score
    assert pieces[1].value.samples.tobytes() == alone.value.samples.tobytes()


@pytest.mark.parametrize(
    ("inputs", "pointers"),
    [
        ({"instruments": ["piano", "kazoo"]}, ["/inputs/instruments/1"]),
        ({"prompt": "a banjo tune"}, ["/inputs/prompt"]),
        ({"instruments": ["drums"]}, ["/inputs/instruments"]),
        ({"instruments": ["sax", "saxophone"]}, ["/inputs/instruments"]),
        ({"instruments": [*INSTRUMENTS][:6]}, ["/inputs/instruments"]),
        ({"prompt": f"for {' and '.join([*INSTRUMENTS][:6])}"}, ["/inputs/prompt"]),
        ({"metre": "7/8"}, ["/inputs/metre"]),
        ({"prompt": "a tune in 5/4"}, ["/inputs/prompt"]),
        ({"lyrics": "la", "steps": 4}, ["/inputs/lyrics", "/inputs/steps"]),
        ({"negative_prompt": "x", "guidance": 2.0}, ["/inputs/negative_prompt", "/inputs/guidance"]),
    ],
)
def test_what_it_cannot_do_it_refuses(
    songbook: Songbook, inputs: dict[str, Any], pointers: list[str]
) -> None:
    with pytest.raises(InvalidInputs) as caught:
        songbook.run([asked(**inputs)], Told())

    assert [problem.pointer for problem in caught.value.problems] == pointers


@pytest.mark.parametrize("inputs", [{"instruments": ["kazoo"]}, {"prompt": "a banjo tune"}])
def test_who_asks_for_an_unknown_instrument_is_told_the_known_ones(
    songbook: Songbook, inputs: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInputs) as caught:
        songbook.run([asked(**inputs)], Told())

    assert all(name in caught.value.detail for name in NAMES)


def test_it_goes_on_from_a_midi_file(songbook: Songbook, tmp_path: Path) -> None:
    begun = midi(tmp_path, tune(1), tune(0, drums=True))

    [[piece]] = songbook.run([asked("", begun, duration_seconds=7)], Told())

    score, before = Score.from_midi(piece.value.score), Score.from_midi(begun.read_bytes())
    assert score.tempo == before.tempo
    assert score.bars == before.bars + 2
    for part, old in zip(score.parts, before.parts, strict=False):
        assert (part.program, part.drums) == (old.program, old.drums)
        assert part.notes[: len(old.notes)] == old.notes
    assert max(note.end for part in score.parts for note in part.notes) > before.ticks
    assert len(piece.value.samples) == round((score.seconds + TAIL) * piece.value.rate)


@pytest.mark.parametrize(
    ("inputs", "pointer"),
    [
        ({"tempo": 140}, "/inputs/tempo"),
        ({"metre": "3/4"}, "/inputs/metre"),
        ({"key": "F# major"}, "/inputs/key"),
        ({"instruments": ["flute"]}, "/inputs/instruments"),
    ],
)
def test_what_is_gone_on_from_stays_what_it_is(
    songbook: Songbook, tmp_path: Path, inputs: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(InvalidInputs) as caught:
        songbook.run([asked("", midi(tmp_path, tune()), **inputs)], Told())

    assert [problem.pointer for problem in caught.value.problems] == [pointer]


def test_scores_that_it_cannot_go_on_from_are_refused(songbook: Songbook, tmp_path: Path) -> None:
    files = {
        "recording": samples.write(Given("sound"), tmp_path),
        "5/4": midi(tmp_path, tune(), metre="5/4"),
    }
    files["5/4"] = files["5/4"].rename(tmp_path / "five.mid")
    files["drums"] = midi(tmp_path, tune(drums=True)).rename(tmp_path / "drums.mid")
    for file in files.values():
        with pytest.raises(InvalidInputs) as caught:
            songbook.run([asked("", file)], Told())
        assert [problem.pointer for problem in caught.value.problems] == ["/inputs/audio"]


def test_a_stop_comes_through_while_it_writes(songbook: Songbook) -> None:
    told = Told(stop_after=2)
    with pytest.raises(Stopped):
        songbook.run([asked("fast", duration_seconds=20, tempo=180)], told)
    assert told.steps[-1][0] < 80
