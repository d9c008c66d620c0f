"""Whole wishes: what nobody has said is drawn by the seed, and the piece is as long as it should be."""

import pytest

from pipelines.music.choosing import BANDS, SUITS, likely_mood, whole_wish
from pipelines.music.instruments import DRUMS, NAMES
from pipelines.music.prompts import hear
from pipelines.music.score import Score
from pipelines.music.theory import key_parts
from pipelines.music.wish import METRES, MOODS, MOST_PITCHED, Wish


def seconds(wish: Wish) -> float:
    assert wish.tempo
    assert wish.metre
    assert wish.bars
    return Score(wish.tempo, wish.metre, wish.key, (), wish.bars).seconds


@pytest.mark.parametrize("seed", range(40))
def test_an_empty_prompt_becomes_a_whole_wish(seed: int) -> None:
    wish = whole_wish(hear("music"), 18, seed)

    assert wish.metre in METRES
    assert wish.mood in MOODS
    assert wish.key
    key_parts(wish.key)
    assert set(wish.instruments) <= set(NAMES)
    assert 1 <= len(set(wish.instruments) - {DRUMS}) <= MOST_PITCHED
    assert seconds(wish) == pytest.approx(18, abs=0.01)
    assert whole_wish(hear("music"), 18, seed) == wish


def test_seeds_choose_differently() -> None:
    wishes = [whole_wish(hear("music"), 18, seed) for seed in range(40)]
    for field in ("key", "metre", "mood", "instruments", "tempo"):
        assert len({getattr(wish, field) for wish in wishes}) >= 3, field


@pytest.mark.parametrize("seed", range(10))
def test_what_is_said_is_kept(seed: int) -> None:
    wish = whole_wish(hear("a slow sad waltz for flute and cello in D minor"), 18, seed)

    assert (wish.key, wish.metre, wish.mood, wish.instruments) == (
        "D minor",
        "3/4",
        "sad",
        ("flute", "cello"),
    )
    assert wish.tempo
    assert 56 <= wish.tempo <= 75


@pytest.mark.parametrize("length", [1, 3, 8, 18, 58, 118])
@pytest.mark.parametrize("tempo", [47, 96, 131.5])
@pytest.mark.parametrize("metre", METRES)
def test_a_tempo_that_is_said_is_kept_and_the_bars_come_nearest(
    metre: str, tempo: float, length: float
) -> None:
    wish = whole_wish(hear(f"{tempo} bpm in {metre}"), length, 1)

    assert wish.tempo == tempo
    assert wish.bars
    assert abs(seconds(wish) - length) <= seconds(wish) / wish.bars


@pytest.mark.parametrize("mood", MOODS)
def test_a_mood_has_its_tempo_its_mode_and_its_band(mood: str) -> None:
    wishes = [whole_wish(hear(mood), 20, seed) for seed in range(60)]
    minor = sum(str(wish.key).endswith("minor") for wish in wishes) / len(wishes)

    assert minor == pytest.approx(SUITS[mood][0], abs=0.25)
    assert {wish.instruments for wish in wishes} == set(BANDS[mood])
    assert all(SUITS[mood][1][0] - 1 <= (wish.tempo or 0) <= SUITS[mood][1][1] + 1 for wish in wishes)


def test_a_mode_has_its_moods() -> None:
    assert all(str(whole_wish(hear("in a minor key"), 9, seed).key).endswith("minor") for seed in range(20))


def test_drums_alone_get_a_band_and_who_is_not_wanted_does_not_play() -> None:
    for seed in range(20):
        assert DRUMS in whole_wish(hear("drums"), 9, seed).instruments
        assert len(whole_wish(hear("drums"), 9, seed).instruments) > 1
        assert DRUMS not in whole_wish(hear("an energetic tune without drums"), 9, seed).instruments


def test_a_piece_without_a_word_has_the_mood_of_its_mode_and_tempo() -> None:
    assert likely_mood("minor", 60) == "sad"
    assert likely_mood("minor", 100) == "mysterious"
    assert likely_mood("major", 130) == "happy"
    assert likely_mood("major", 180) == "energetic"
