"""Words, and the grammar that says which may come next."""

import random
from dataclasses import replace
from itertools import chain, pairwise

import pytest

from pipelines.music.grammar import allowed, choices
from pipelines.music.hearing import instruments_of
from pipelines.music.instruments import INSTRUMENTS
from pipelines.music.judge import broken_bars
from pipelines.music.wish import Wish
from pipelines.music.words import NUMBER, WORDS, body, head, tempo_class
from pipelines.music.writing import Writing
from pipelines.training.songbook.compose import compose
from pipelines.training.songbook.plan import draw_wish

WISH = Wish("Eb minor", 96, "6/8", "sad", ("cello", "piano", "drums"), 7)


def words_of(sheet):
    return [*head(sheet), *chain(*body(sheet.phrases, len(sheet.bars))), "end"]


def at_random(wish, seed, *, harmony=True):
    """A piece of words that are drawn from the allowed ones without any sense."""
    dice, writing = random.Random(seed), Writing(wish, harmony=harmony)
    while not writing.done:
        writing.add(dice.choice(choices(writing)))
    return writing


def test_each_word_has_one_number():
    assert len(set(WORDS)) == len(WORDS) == len(NUMBER)


@pytest.mark.parametrize("seed", range(12))
def test_what_the_composer_writes_is_allowed_and_comes_back(seed):
    dice = random.Random(seed)
    wish = draw_wish(dice)
    sheet = compose(wish, dice)
    writing = Writing(wish, harmony=False)
    for word in words_of(sheet)[1:]:
        assert word in choices(writing)
        writing.add(word)
    assert writing.done
    assert writing.sheet == sheet


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_drawn_the_piece_is_as_wished(seed):
    writing = at_random(WISH, seed)
    score = writing.sheet.to_score(WISH.key)
    assert (score.bars, score.metre, score.tempo, writing.said["mode"]) == (7, "6/8", 96, "minor")
    assert set(writing.arrangement.values()) == set(WISH.instruments)
    assert instruments_of(score) == set(WISH.instruments)
    for bar in writing.sheet.bars:
        for line in bar.lines.values():
            assert sum(stroke.length for stroke in line) == 36


def test_what_is_drawn_by_the_rules_of_harmony_seldom_breaks_them():
    broken = {True: 0, False: 0}
    for harmony in broken:
        for seed in range(6):
            score = at_random(WISH, seed, harmony=harmony).sheet.to_score(WISH.key)
            broken[harmony] += sum(map(bool, broken_bars(score, WISH.key)))
    assert broken[True] <= 8
    assert broken[False] >= 20


@pytest.mark.parametrize("seed", range(5))
def test_each_instrument_keeps_its_range(seed):
    writing = at_random(WISH, seed)
    for part in writing.sheet.to_score("C minor").parts:
        if not part.drums:
            instrument = INSTRUMENTS[part.name]
            assert all(instrument.low <= note.pitch <= instrument.high for note in part.notes)


@pytest.mark.parametrize("seed", range(8))
def test_what_nobody_says_is_chosen(seed):
    writing = at_random(Wish(seconds=8), seed)
    score = writing.sheet.to_score("C major")
    assert writing.instruments
    assert writing.instruments[0] in INSTRUMENTS
    assert tempo_class(writing.tempo) == int(writing.said["tempo"])
    assert abs(score.seconds - 8) <= score.seconds_at(score.bar) / 2 + 1e-6


@pytest.mark.parametrize("names", [("flute",), ("oboe", "flute", "violin", "trumpet", "clarinet", "drums")])
def test_each_instrument_is_given_a_role_and_plays(names):
    for seed in range(3):
        writing = at_random(replace(WISH, instruments=names, bars=1), seed)
        assert set(writing.arrangement.values()) == set(names)
        assert instruments_of(writing.sheet.to_score(WISH.key)) == set(names)


def test_a_piece_goes_on_after_the_bars_that_are_there():
    dice = random.Random(1)
    sheet = compose(draw_wish(dice), dice)
    writing = Writing.after(sheet, Wish(bars=3, tempo=sheet.tempo))
    assert writing.words[-1] != "end"
    while not writing.done:
        writing.add(dice.choice(choices(writing)))
    assert writing.sheet.phrases[: len(sheet.phrases)] == sheet.phrases
    assert len(writing.sheet.bars) == len(sheet.bars) + 3


def test_a_word_that_may_come_is_true_in_the_mask():
    writing = Writing(WISH)
    assert [WORDS[number] for number in allowed(writing).nonzero()[0]] == ["mood sad"]


def test_lengths_are_said_where_they_change_only():
    dice = random.Random(2)
    words = words_of(compose(draw_wish(dice), dice))
    for word, after in pairwise(words):
        assert not (word.startswith("length") and after.startswith("length"))
