"""Pieces of text, put together from events that repeat, skip and begin anew."""

from atelier.records import Event
from atelier.texts import Assembler, TextPart


def output(attempt: int, offset: int, delta: str, index: int = 0) -> Event:
    return Event("", "job.output", {"attempt": attempt, "index": index, "offset": offset, "delta": delta})


def test_pieces_come_as_they_are_sent():
    text = Assembler()

    assert text.feed(output(1, 0, "Once ")) == TextPart("Once ")
    assert text.feed(output(1, 5, "upon")) == TextPart("upon")


def test_a_piece_that_comes_twice_is_told_once():
    text = Assembler()
    text.feed(output(1, 0, "Once "))

    assert text.feed(output(1, 0, "Once ")) is None
    assert text.feed(output(1, 3, "e upon")) == TextPart("upon")


def test_other_outputs_and_other_events_are_not_ours():
    text = Assembler(index=1)

    assert text.feed(output(1, 0, "zero", index=0)) is None
    assert text.feed(Event("", "job.started", {})) is None
    assert text.feed(output(1, 0, "one", index=1)) == TextPart("one")


def test_a_new_attempt_that_repeats_the_text_goes_on_in_silence():
    text = Assembler()
    text.feed(output(1, 0, "Once upon"))

    assert text.feed(output(2, 0, "Once ")) is None
    assert text.feed(output(2, 5, "upon a time")) == TextPart(" a time")


def test_a_new_attempt_that_differs_begins_anew():
    text = Assembler()
    text.feed(output(1, 0, "Once upon"))

    assert text.feed(output(2, 0, "Once ")) is None
    assert text.feed(output(2, 5, "more")) == TextPart("Once more", restarted=True)


def test_what_is_missing_comes_with_the_finished_text():
    text = Assembler()
    text.feed(output(1, 0, "Once "))
    assert text.feed(output(1, 9, "a time")) is None

    assert text.finish("Once upon a time") == TextPart("upon a time")
    assert text.finish("Once upon a time") is None


def test_a_shorter_finished_text_replaces_what_was_told():
    text = Assembler()
    text.feed(output(1, 0, "Once upon STOP"))

    assert text.finish("Once upon ") == TextPart("Once upon ", restarted=True)
