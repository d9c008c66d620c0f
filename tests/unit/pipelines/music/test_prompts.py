"""What the words of a prompt ask for."""

from typing import get_args

import pytest

from pipelines.kinds.music import Key
from pipelines.music.instruments import BY_PROGRAM, NAMES
from pipelines.music.prompts import (
    INSTRUMENT_WORDS,
    METRE_WORDS,
    MOOD_WORDS,
    TEMPO_WORDS,
    UNKNOWN_WORDS,
    hear,
    instrument,
    spelled,
)
from pipelines.music.wish import METRES, MOODS


def test_everything_that_a_prompt_says_is_heard() -> None:
    heard = hear("a slow sad waltz for flute and cello in D minor")

    assert heard.key == "D minor"
    assert heard.tempo == (56, 75)
    assert (heard.metre, heard.mood, heard.instruments) == ("3/4", "sad", ("flute", "cello"))
    assert not heard.unknown
    assert not heard.without


def test_a_prompt_that_says_nothing_leaves_everything_open() -> None:
    heard = hear("Once there was a fox who lived in a house by the sea, near a sharp bend")
    assert heard == hear("music")
    assert not any((heard.key, heard.mode, heard.tempo, heard.metre, heard.mood, heard.instruments))


@pytest.mark.parametrize(
    ("prompt", "key"),
    [
        ("in A minor", "A minor"),
        ("music in a minor at 96 bpm", "A minor"),
        ("a nocturne in E-flat major", "Eb major"),
        ("C sharp minor", "C# minor"),
        ("Gb major", "F# major"),
        ("in B♭ minor", "Bb minor"),
        ("F# maj", "F# major"),
        ("a song in Dm", "D minor"),
        ("a blues in E.", "E major"),
        ("key of G with piano", "G major"),
        ("a D-minor fugue", "D minor"),
        ("a minor incident", None),
        ("A major work", None),
        ("a G minor seventh", None),
        ("in A small house", None),
        ("in a minor key", None),
    ],
)
def test_keys(prompt: str, key: str | None) -> None:
    assert hear(prompt).key == key


@pytest.mark.parametrize("tonic", ["A", "B", "C", "D", "E", "F", "G"])
@pytest.mark.parametrize("sign", ["", "#", "b", " flat", "-sharp", "♯"])
@pytest.mark.parametrize("mode", ["major", "minor"])
def test_every_key_is_heard_by_a_name_that_requests_have(tonic: str, sign: str, mode: str) -> None:
    assert hear(f"a tune in {tonic}{sign} {mode} for piano").key in get_args(Key)


@pytest.mark.parametrize("key", get_args(Key))
def test_a_usual_key_keeps_its_name(key: str) -> None:
    assert spelled(*key.split()) == key
    assert hear(f"in {key}").key == key


@pytest.mark.parametrize(
    ("prompt", "mode"), [("in a minor key", "minor"), ("a tune in major", "major"), ("in D minor", "minor")]
)
def test_a_mode_may_be_said_without_a_key(prompt: str, mode: str) -> None:
    assert hear(prompt).mode == mode


@pytest.mark.parametrize(
    ("prompt", "tempo"),
    [
        ("at 96 bpm", (96, 96)),
        ("132.5 beats per minute", (132.5, 132.5)),
        ("a 90-bpm tune", (90, 90)),
        ("tempo: 72, slow", (72, 72)),
        ("very slow", (46, 58)),
        ("slow", (56, 75)),
        ("a PRESTO finale", (160, 188)),
        ("not slow but fast", (126, 156)),
        ("12 bpm", None),
        ("the year 1984", None),
    ],
)
def test_tempos(prompt: str, tempo: tuple[float, float] | None) -> None:
    assert hear(prompt).tempo == tempo


@pytest.mark.parametrize(
    ("prompt", "metre"),
    [("in 6/8", "6/8"), ("a waltz", "3/4"), ("two polkas", "2/4"), ("5/4 groove", "5/4"), ("on 24/7", None)],
)
def test_metres(prompt: str, metre: str | None) -> None:
    assert hear(prompt).metre == metre


@pytest.mark.parametrize(
    ("prompt", "mood"),
    [
        ("a melancholy tune", "sad"),
        ("not sad, but calm", "calm"),
        ("Epic!", "heroic"),
        ("light-hearted", "playful"),
        ("sadness", None),
    ],
)
def test_moods(prompt: str, mood: str | None) -> None:
    assert hear(prompt).mood == mood


@pytest.mark.parametrize(
    ("prompt", "played", "without", "unknown"),
    [
        ("violins, a double bass and music boxes", ("violin", "acoustic bass", "music box"), (), ()),
        ("electric bass and electric piano", ("electric bass", "electric piano"), (), ()),
        ("piano without drums or bass", ("piano",), ("drums", "acoustic bass"), ()),
        ("no drums, please, but a sax", ("saxophone",), ("drums",), ()),
        ("a banjo and an electric guitar with flute", ("flute",), (), ("banjo", "electric guitar")),
        ("bass clarinets", (), (), ("bass clarinet",)),
        ("without banjo", (), (), ()),
        ("an organic, sharp sound", (), (), ()),
    ],
)
def test_instruments(prompt: str, played: object, without: object, unknown: object) -> None:
    heard = hear(prompt)
    assert (heard.instruments, heard.without, heard.unknown) == (played, without, unknown)


def test_instruments_have_other_names() -> None:
    assert [instrument(name) for name in ("Sax", "  Double  Bass ", "Violins", "strings", "drum kit")] == [
        *("saxophone", "acoustic bass", "violin", "strings", "drums")
    ]
    assert instrument("kazoo") is None
    assert all(instrument(name) == name for name in NAMES)


def test_words_mean_what_there_is() -> None:
    assert set(INSTRUMENT_WORDS.values()) == set(NAMES)
    assert set(MOOD_WORDS.values()) == set(MOODS)
    assert set(METRE_WORDS.values()) == set(METRES)
    assert not set(UNKNOWN_WORDS) & set(INSTRUMENT_WORDS)
    assert all(30 <= slowest < fastest <= 200 for slowest, fastest in TEMPO_WORDS.values())
    assert len(BY_PROGRAM) >= 10


def test_a_long_prompt_is_read_quickly() -> None:
    assert hear("not a " * 600 + "flute").instruments == ()
