"""The synthesizer: every voice at its pitch, notes when they are written, and a room that falls silent."""

import numpy as np
import pytest

from pipelines.music.instruments import INSTRUMENTS
from pipelines.music.score import Note, Part, Score
from pipelines.music.synth import RATE, TAIL, render
from pipelines.music.synth.drums import DRUMS, strike
from pipelines.music.synth.partials import points, summed, times
from pipelines.music.synth.room import seats
from pipelines.music.synth.tones import Tone, force_of, hertz_of
from pipelines.music.synth.voices import HELD, VOICES

RANGES = {row.program: (row.low, row.high) for row in INSTRUMENTS.values()}
DISTINCT = {VOICES[program]: program for program in (*range(128), *RANGES)}
"""One program for each voice; those that the songbook writes for where there are several."""


def score(*notes: Note, program: int = 0, drums: bool = False, tempo: float = 120) -> Score:
    end = max(note.end for note in notes)
    return Score(tempo, "4/4", "C major", (Part("one", program, notes, drums),), -(-end // 48))


def cents_off(wave: np.ndarray, hertz: float) -> int:
    """How far the wave's harmonics are from those of `hertz`, by the best of ±80 cents."""
    size = 1 << 18
    heights = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), size))
    cents = np.arange(-80, 81)
    order = np.arange(1, 6)
    places = hertz * 2 ** (cents[:, None] / 1200) * order * size / RATE
    return int(cents[(heights[places.round().astype(int)] / order).sum(axis=1).argmax()])


def loud(wave: np.ndarray) -> float:
    return float(np.sqrt((wave**2).mean()))


@pytest.mark.parametrize("program", sorted(DISTINCT.values()))
def test_every_voice_is_at_its_pitch(program: int) -> None:
    low, high = RANGES.get(program, (48, 76))

    for pitch in (low, (low + high) // 2, high):
        wave = Tone(VOICES[program], pitch, 0.65, RATE, RATE).wave().mean(axis=0)
        assert abs(cents_off(wave, hertz_of(pitch))) <= 15, f"key {pitch}"


def test_a_sum_of_partials_is_the_sum_of_their_sines() -> None:
    at = times(points(RATE), RATE)
    hertz, fades = np.array([440.0, 1_000.0, 9_000.0]), np.array([1.0, 2.0, 5.0])

    wave = summed(hertz, np.exp(-at[:, None] * fades), np.zeros(3), RATE)

    seconds = np.arange(len(wave))[:, None] / RATE
    exact = (np.cos(2 * np.pi * hertz * seconds) * np.exp(-fades * seconds)).sum(axis=1)
    assert np.abs(wave - exact).max() < 1e-4


def test_a_bent_partial_goes_where_its_bend_says() -> None:
    at = times(points(RATE), RATE)
    bends = 0.01 * np.sin(2 * np.pi * 5 * at)[:, None]

    wave = summed(np.array([1_000.0]), np.ones((len(at), 1)), np.zeros(1), RATE, bends)

    seconds = np.arange(len(wave)) / RATE
    moved = 0.01 * (1 - np.cos(2 * np.pi * 5 * seconds)) / (2 * np.pi * 5)
    assert np.abs(wave - np.cos(2 * np.pi * 1_000 * (seconds + moved))).max() < 1e-2


def test_the_same_score_is_the_same_sound() -> None:
    piece = score(Note(0, 12, 60, 80), Note(12, 12, 67, 100), program=40)
    assert render(piece).tobytes() == render(piece).tobytes()


def test_a_sound_ends_in_silence_after_the_last_bar() -> None:
    heard = render(score(Note(0, 48, 60, 127), program=48))

    assert heard.shape == (2, round((2 + TAIL) * RATE))
    assert np.abs(heard[:, -RATE // 20 :]).max() < 1e-3 * np.abs(heard).max()
    assert np.isfinite(heard).all()


def test_a_note_sounds_while_it_is_written_and_not_before() -> None:
    heard = render(score(Note(24, 12, 69, 90), program=73))

    assert loud(heard[:, : round(0.95 * RATE)]) < 1e-6
    assert loud(heard[:, round(1.1 * RATE) : round(1.5 * RATE)]) > 20 * loud(heard[:, round(2.3 * RATE) :])


@pytest.mark.parametrize("program", [0, 24, 40, 73])
def test_a_note_is_louder_and_brighter_the_harder_it_is_played(program: int) -> None:
    quiet, strong = (
        render(score(Note(0, 24, 66, velocity), program=program)).mean(axis=0) for velocity in (40, 115)
    )

    def brightness(wave: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(wave)) ** 2
        return float((power * np.fft.rfftfreq(len(wave), 1 / RATE)).sum() / power.sum())

    assert loud(strong) > 2 * loud(quiet)
    assert brightness(strong) > 1.01 * brightness(quiet)


def test_struck_tones_fade_and_held_ones_do_not() -> None:
    for program in RANGES:
        wave = Tone(VOICES[program], 60, 0.65, 2 * RATE, RATE).wave()
        early, late = loud(wave[:, RATE // 4 : RATE // 2]), loud(wave[:, -RATE // 4 :])
        assert (late > 0.6 * early) == (VOICES[program].fade == HELD), program


def test_players_sit_where_their_voice_says() -> None:
    for program in (40, 42, 46, 71):
        left, right = render(score(Note(0, 24, 64, 90), program=program))
        assert (loud(left) > 1.15 * loud(right)) == (VOICES[program].pan < 0)
        assert (loud(right) > 1.15 * loud(left)) == (VOICES[program].pan > 0)


def test_an_ensemble_is_wide() -> None:
    left, right = Tone(VOICES[48], 60, 0.65, RATE, RATE).wave()
    assert np.corrcoef(left, right)[0, 1] < 0.8


def test_both_sides_together_are_as_loud_wherever_a_player_sits() -> None:
    for pan in (-1, -0.3, 0, 0.7, 1):
        left, right = seats(pan)
        assert left**2 + right**2 == pytest.approx(2)


@pytest.mark.parametrize("key", sorted(DRUMS))
def test_every_drum_is_heard_at_once_and_dies_away(key: int) -> None:
    wave = strike(key, RATE)

    assert loud(wave[: RATE // 50]) > 1e-3
    assert loud(wave[-RATE // 100 :]) < 0.02 * np.abs(wave).max()


def test_low_drums_are_low_and_cymbals_are_high() -> None:
    def middle(key: int) -> float:
        power = np.cumsum(np.abs(np.fft.rfft(strike(key, RATE), 1 << 17)) ** 2)
        return float(np.searchsorted(power, power[-1] / 2) * RATE / (1 << 17))

    assert middle(36) < 90 < middle(45) < middle(38) < 2_000
    assert middle(42) > 5_000
    assert middle(49) > 2_000


def test_a_drum_that_nobody_has_is_a_wood_block() -> None:
    heard = render(score(Note(0, 12, 120, 100), drums=True))
    assert loud(heard) > 0


def test_a_chord_is_softer_than_its_notes_would_be_together() -> None:
    one = loud(render(score(Note(0, 24, 60, 90))))
    four = loud(render(score(*(Note(0, 24, pitch, 90) for pitch in (60, 64, 67, 72)))))
    assert 1.05 * one < four < 1.7 * one


def test_force_is_the_nearest_that_there_is() -> None:
    assert [force_of(velocity) for velocity in (1, 60, 80, 127)] == [0.25, 0.45, 0.65, 0.85]
