"""Tokens to text: no half characters, stop texts found across pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.families._text import Detokenizer, StopFinder, Unfencer
from tests.families import tiny

TOKENIZER = tiny.bpe_tokenizer()


@given(st.text(), st.text(min_size=1))
def test_pieces_are_whole_characters_and_together_the_text(prompt, text):
    detokenizer = Detokenizer(TOKENIZER, TOKENIZER(prompt).input_ids if prompt else [])
    ids = TOKENIZER(text).input_ids

    pieces = [detokenizer.push(token) for token in ids]

    whole = "".join([*pieces, detokenizer.rest()])
    assert whole == text.rstrip("\ufffd")
    assert all("\ufffd" not in piece for piece in pieces) or "\ufffd" in text


def test_the_half_of_a_character_is_left_out_at_the_end():
    fox = TOKENIZER("a 🦉").input_ids
    detokenizer = Detokenizer(TOKENIZER, [])

    pieces = [detokenizer.push(token) for token in fox[:-1]]

    assert len(TOKENIZER("🦉").input_ids) > 1
    assert "".join(pieces) + detokenizer.rest() == "a "


@given(st.text("ab", max_size=30), st.lists(st.text("ab", min_size=1, max_size=4), max_size=3), st.data())
def test_the_text_before_the_first_stop_passes_however_it_is_cut(text, stop, data):
    finder, passed, at = StopFinder(stop), "", 0
    while at < len(text) and not finder.found:
        size = data.draw(st.integers(1, 4))
        passed += finder.push(text[at : at + size])
        at += size
    passed += finder.rest()

    found = [text.find(word) for word in stop if word in text]
    assert finder.found == bool(found)
    assert text.startswith(passed)
    assert not any(word in passed for word in stop)
    if not found:
        assert passed == text


@pytest.mark.parametrize("pieces", [["one E", "ND two"], ["one END two"], list("one END two")])
def test_a_stop_text_is_never_passed_in_part(pieces):
    finder = StopFinder(["END"])

    assert "".join(map(finder.push, pieces)) + finder.rest() == "one "


def test_what_only_looked_like_a_stop_text_comes_at_the_end():
    finder = StopFinder(["END"])

    assert (finder.push("the EN"), finder.rest()) == ("the ", "EN")


BLOCK = "```python\nx = '``'\ny = 2\n```\nThat is it."


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (BLOCK, "x = '``'\ny = 2"),
        ("\n\n" + BLOCK, "x = '``'\ny = 2"),
        ("```\nhalf", "half"),
        ("x = 1\n```\ny", "x = 1\n```\ny"),
        ("``", "``"),
        ("```python", "```python"),
        (" \n", " \n"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_block_is_opened_however_it_is_cut(text, wanted, size):
    unfencer = Unfencer()

    pieces = [unfencer.push(text[at : at + size]) for at in range(0, len(text), size)]

    assert "".join(pieces) + unfencer.rest() == wanted
    assert unfencer.found == (BLOCK in text)
