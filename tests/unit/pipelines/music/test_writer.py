"""The writer: untrained networks of both kinds write whole pieces, and go on from given ones."""

import random
from dataclasses import replace

import pytest
import torch

from pipelines.music import networks
from pipelines.music.hearing import line
from pipelines.music.networks import Recurrent, Transformer
from pipelines.music.reading import sheet_of
from pipelines.music.score import Note, Part, Score
from pipelines.music.wish import Wish
from pipelines.music.words import NUMBER
from pipelines.music.writer import KEPT, Writer, window
from pipelines.music.writing import Writing
from pipelines.training.export import save_half
from pipelines.training.songbook.compose import compose
from pipelines.training.songbook.plan import draw_wish

WISH = Wish("Ab major", 120, "3/4", "calm", ("violin", "cello"), 2)


class Small(Transformer):
    layers, width, heads, inner = 1, 32, 2, 48


def fresh(kind):
    torch.manual_seed(3)
    network = Small.fresh() if kind is Transformer else Recurrent(1, 24, 32)
    getattr(network, "model", network).eval()
    return network


@pytest.fixture(params=[Transformer, Recurrent], ids=["transformer", "lstm"])
def network(request):
    return fresh(request.param)


def composed(seed):
    dice = random.Random(seed)
    wish = draw_wish(dice)
    return wish, compose(wish, dice).to_score(wish.key)


def test_memory_gives_what_reading_all_at_once_gives(network):
    words = torch.tensor([[NUMBER[w] for w in ("begin", "mood sad", "metre 3/4", "mode minor", "tempo 2")]])
    with torch.inference_mode():
        whole, _ = network.read(words, None)
        _, memory = network.read(words[:, :3], None)
        rest, _ = network.read(words[:, 3:], memory)
    torch.testing.assert_close(rest, whole, atol=1e-5, rtol=1e-4)


def test_a_piece_is_as_long_as_wished_and_repeats_by_its_seed(network):
    writer = Writer(network)
    one, two = writer.write([WISH, WISH], [5, 6])
    assert one.bars == two.bars == 2
    assert one != two
    assert writer.write([WISH], [5], temperature=0.9) == [one]


def test_pieces_may_be_written_side_by_side(network):
    wishes = [WISH, replace(WISH, bars=1, instruments=("flute",)), replace(WISH, bars=3)]
    assert [score.bars for score in Writer(network).write(wishes, [1, 2, 3], together=3)] == [2, 1, 3]


def test_at_temperature_nought_the_seed_changes_nothing(network):
    one, two = Writer(network).write([WISH, WISH], [5, 6], temperature=0)
    assert one == two


def test_progress_is_told_to_the_end(network):
    told = []
    Writer(network).write([WISH, WISH], [1, 2], progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1] == (200, 200)


def test_a_piece_longer_than_the_context_goes_on_from_its_last_phrases(monkeypatch, network):
    monkeypatch.setattr("pipelines.music.writer.CONTEXT", 160)
    monkeypatch.setattr("pipelines.music.writer.KEPT", 80)
    one, two = Writer(network).write([replace(WISH, bars=4), replace(WISH, bars=5)], [1, 2], together=2)
    assert (one.bars, two.bars) == (4, 5)


def test_the_window_of_a_long_piece_is_its_head_and_whole_phrases():
    dice = random.Random(4)
    wish = replace(draw_wish(dice), bars=24, instruments=("violin", "piano", "cello", "drums"))
    sheet = compose(wish, dice)
    sheet = replace(sheet, phrases=sheet.phrases * 3)
    seen = window(Writing.after(sheet, replace(wish, bars=4)))
    assert seen[0] == "begin"
    assert seen[seen.index("before") + 1].startswith("left ")
    assert KEPT // 2 < len(seen) < KEPT + 60


@pytest.mark.parametrize("seed", range(2))
def test_a_score_that_is_gone_on_from_stays_at_the_beginning(network, seed):
    _, begin = composed(seed)
    [score] = Writer(network).write([Wish(bars=1)], [1], begin=begin)
    assert (score.bars, score.key, score.tempo, score.metre) == (
        begin.bars + 1,
        begin.key,
        begin.tempo,
        begin.metre,
    )
    assert [part.name for part in score.parts if not part.notes] == []
    old, new = (
        {(part.name, note.start, note.pitch) for part in each.parts for note in line(part)}
        for each in (begin, score)
    )
    assert len(old & new) > 0.9 * len(old)


@pytest.mark.parametrize("seed", range(6))
def test_a_composed_score_is_read_as_what_it_was(seed):
    wish, score = composed(seed)
    sheet = sheet_of(score, wish)
    assert len(sheet.bars) == score.bars
    assert set(sheet.arrangement.values()) == set(wish.instruments)
    assert sheet.to_score(wish.key).bars == score.bars
    for bar in sheet.bars:
        for strokes in bar.lines.values():
            assert sum(stroke.length for stroke in strokes) == score.bar


def test_what_there_are_no_words_for_cannot_be_gone_on_from():
    note = Note(0, 12, 60, 80)
    with pytest.raises(ValueError, match="5/4"):
        sheet_of(Score(100, "5/4", None, (Part("", 0, (note,)),), 1), WISH)
    with pytest.raises(ValueError, match="program 120"):
        sheet_of(Score(100, "4/4", None, (Part("", 120, (note,)),), 1), WISH)
    with pytest.raises(ValueError, match="drums alone"):
        sheet_of(Score(100, "4/4", None, (Part("", 0, (note,), drums=True),), 1), WISH)


def test_an_exported_network_is_loaded_again(network, tmp_path):
    if isinstance(network, Transformer):
        save_half(network.model, tmp_path)
    else:
        network.save(tmp_path)
    words = torch.tensor([[1, 2, 3]])
    with torch.inference_mode():
        torch.testing.assert_close(
            networks.load(tmp_path).read(words, None)[0], network.read(words, None)[0], atol=1e-2, rtol=1e-2
        )


def test_a_network_of_other_words_is_refused(tmp_path):
    fresh(Recurrent).save(tmp_path)
    config = (tmp_path / "config.json").read_text().replace('"words": ', '"words": 9')
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(ValueError, match="other words"):
        networks.load(tmp_path)
