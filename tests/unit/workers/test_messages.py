import json
import os
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from workers.messages import SCHEMA, PipeClosed, Receiver, Sender


@pytest.fixture
def pipe() -> Iterator[tuple[Sender, Receiver]]:
    reading, writing = os.pipe()
    sender, receiver = Sender(writing), Receiver(reading)
    yield sender, receiver
    for end in (reading, writing):
        with suppress(OSError):  # the test has closed it
            os.close(end)


def test_messages_arrive_in_order(pipe: tuple[Sender, Receiver]) -> None:
    sender, receiver = pipe
    sender.send("started")
    sender.send("delta", request="r", index=0, text="line\nbreak")
    assert receiver.receive(1) == {"v": SCHEMA, "is": "started"}
    assert receiver.receive(1) == {
        "v": SCHEMA,
        "is": "delta",
        "request": "r",
        "index": 0,
        "text": "line\nbreak",
    }


def test_nothing_within_the_time_is_none(pipe: tuple[Sender, Receiver]) -> None:
    assert pipe[1].receive(0.01) is None


def test_a_message_larger_than_the_pipe_arrives_whole(pipe: tuple[Sender, Receiver]) -> None:
    sender, receiver = pipe
    text = "x" * 1_000_000
    writer = threading.Thread(target=lambda: sender.send("delta", text=text))
    writer.start()
    message = receiver.receive(5)
    writer.join()
    assert message is not None
    assert message["text"] == text


def test_the_reader_learns_that_the_writer_is_gone(pipe: tuple[Sender, Receiver]) -> None:
    sender, receiver = pipe
    sender.send("started")
    sender.close()
    assert [message["is"] for message in receiver] == ["started"]
    with pytest.raises(PipeClosed):
        receiver.receive(1)


def test_the_writer_learns_that_the_reader_is_gone(pipe: tuple[Sender, Receiver]) -> None:
    sender, receiver = pipe
    receiver.close()
    with pytest.raises(PipeClosed):
        sender.send("started")


def test_another_schema_is_refused() -> None:
    reading, writing = os.pipe()
    os.write(writing, json.dumps({"v": SCHEMA + 1, "is": "started"}).encode() + b"\n")
    receiver = Receiver(reading)
    with pytest.raises(ValueError, match=f"schema {SCHEMA + 1}"):
        receiver.receive(1)
    receiver.close()
    os.close(writing)
