"""The composer and its stock of pieces: rules kept, combinations held out, the same for the same seed."""

import random
from collections import Counter
from dataclasses import replace

import pytest
import torch

from pipelines.music.hearing import instruments_of, outer
from pipelines.music.instruments import DRUMS, INSTRUMENTS
from pipelines.music.judge import broken_bars
from pipelines.music.theory import CHORDS
from pipelines.music.words import NUMBER, WORDS
from pipelines.training.songbook import pieces
from pipelines.training.songbook.compose import compose, parallels
from pipelines.training.songbook.harmony import progression
from pipelines.training.songbook.pieces import Pieces, lesson
from pipelines.training.songbook.plan import arrange, draw_wish, form, is_held_out
from pipelines.training.songbook.rhythm import rhythm

DICE = 5


@pytest.fixture(scope="module")
def composed():
    dice = random.Random(DICE)
    wishes = [draw_wish(dice) for _ in range(40)]
    return [(wish, compose(wish, dice).to_score(wish.key)) for wish in wishes]


def test_what_is_composed_is_as_long_and_played_by_whom_it_should(composed):
    for wish, score in composed:
        assert score.bars == wish.bars
        assert instruments_of(score) == set(wish.instruments)


def test_hardly_a_bar_breaks_a_rule(composed):
    broken = [bool(rules) for wish, score in composed for rules in broken_bars(score, wish.key)]
    assert sum(broken) / len(broken) < 0.03


def test_the_melody_is_nearly_always_the_highest(composed):
    tops = [outer(score)[0] is score.parts[0] for _, score in composed]
    assert sum(tops) / len(tops) > 0.8


def test_combinations_are_kept_apart():
    dice = random.Random(DICE)
    assert not any(is_held_out(draw_wish(dice)) for _ in range(200))
    assert all(is_held_out(draw_wish(dice, held_out=True)) for _ in range(20))


def test_a_combination_is_held_out_in_every_key_and_length():
    dice = random.Random(DICE)
    wish = draw_wish(dice, held_out=True)
    mode = wish.key.split()[1]

    others = [replace(wish, key=f"{tonic} {mode}", bars=9) for tonic in ("C", "D", "A")]
    assert all(map(is_held_out, others))
    assert is_held_out(replace(wish, instruments=wish.instruments[::-1]))


@pytest.mark.parametrize("seed", range(60))
def test_each_instrument_gets_a_role_that_it_can_play(seed):
    dice = random.Random(seed)
    names = tuple(dice.sample(list(INSTRUMENTS), dice.randint(1, 5)))
    roles = arrange((*names, DRUMS), dice)
    assert set(roles.values()) == {*names, DRUMS}
    assert next(iter(roles)) == "melody"
    assert roles[DRUMS] == DRUMS


@pytest.mark.parametrize("bars", range(1, 30))
def test_phrases_make_up_the_piece(bars):
    phrases = form(bars, random.Random(bars))
    assert sum(length for _, length in phrases) == bars
    assert all(1 <= length <= 9 for _, length in phrases)


@pytest.mark.parametrize("mode", CHORDS)
@pytest.mark.parametrize("cadence", ["open", "closed", "mild"])
def test_progressions_are_chords_of_the_mode_and_close(mode, cadence):
    dice = random.Random(DICE)
    for slots in range(1, 12):
        chords = progression(mode, slots, cadence, colour=0.5, dice=dice)
        assert len(chords) == slots
        assert set(chords) <= set(CHORDS[mode])
        if cadence == "closed":
            assert chords[-1].root == 0
        if cadence == "open":
            assert chords[-1].root == 7


@pytest.mark.parametrize(("metre", "ticks"), [("2/4", 24), ("3/4", 36), ("4/4", 48), ("6/8", 36)])
def test_a_rhythm_fills_its_bar_and_is_as_active_as_asked_for(metre, ticks):
    dice = random.Random(DICE)
    calm = [rhythm(metre, 0.6, 0, dice) for _ in range(50)]
    busy = [rhythm(metre, 2, 0, dice) for _ in range(50)]
    assert {sum(row) for row in calm + busy} == {ticks}
    assert sum(map(len, busy)) > 1.5 * sum(map(len, calm))


def test_parallels_are_counted_where_both_voices_move():
    upper = [(0, 12, 67), (12, 24, 69), (24, 36, 71)]
    assert parallels(upper, [(0, 12, 60), (12, 24, 62), (24, 36, 55)]) == 1
    assert parallels(upper, [(0, 24, 60), (24, 36, 62)]) == 0


def test_lessons_are_words_and_of_all_three_kinds():
    dice, kinds = random.Random(DICE), Counter()
    for _ in range(30):
        words = lesson(compose(draw_wish(dice), dice), dice)
        assert all(word in NUMBER for word in words)
        kinds["later"] += "before" in words
        kinds["beginning"] += words[-1] != "end"
        kinds["whole"] += words[-1] == "end" and "before" not in words
    assert min(kinds.values()) >= 2
    assert len(kinds) == 3


def test_a_stock_of_pieces_is_the_same_from_its_seed_and_from_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "GROUP", 8)
    stock = Pieces(tmp_path / "one", seed=3, groups=2, batch=4)
    first = stock.step(0)
    assert first.shape[0] == 4
    assert WORDS[int(first[0, 0])] == "begin"
    assert torch.equal(stock.step(0), first)
    assert torch.equal(Pieces(tmp_path / "two", seed=3, groups=2, batch=4).step(0), first)
    assert not torch.equal(
        Pieces(tmp_path / "three", seed=4, groups=2, batch=4).step(0)[:, :40], first[:, :40]
    )
    both = sorted(len(row[row > 0]) for number in (0, 1) for row in stock.step(number))
    again = sorted(len(row[row > 0]) for number in (4, 5) for row in stock.step(number))
    assert both == again  # the same pieces, when the stock begins anew
