"""What a run makes of a family that does not keep its promises. The families here are real code, run in
this process."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipelines.base import Capabilities, Emit, Output, Progress, Request
from pipelines.errors import OutOfMemory, PipelineError, Stopped, TransientEngineError
from pipelines.safety import Policy, Verdict
from pipelines.safety.guard import Guard
from workers.engine_errors import breaks_device, translate
from workers.engine_finish import Finisher
from workers.engine_run import Run
from workers.messages import Message, Receiver, Sender

FamilyRun = Callable[[list[Request], Progress], list[list[Output]]]


class Broken:
    """A family whose `run` is given."""

    capabilities = Capabilities(max_batch=8)

    def __init__(self, run: FamilyRun) -> None:
        self.run = run


class Nobody:
    """A parent that sends no further orders."""

    def __init__(self, stopped: Callable[[str], bool]) -> None:
        self.stopped = stopped

    def joining(self, model: Message, kinds: Sequence[str]) -> None:
        return None


@pytest.fixture
def carry_out(tmp_path: Path) -> Iterator[Callable[..., list[Message]]]:
    """Carries out requests `a` and `b` on a family with this `run`; what the worker would be told."""
    reading, writing = os.pipe()

    def folder(name: str) -> Path:
        (tmp_path / name).mkdir()
        return tmp_path / name

    def carry_out(
        run: "FamilyRun | Talker",
        stopped: Callable[[str], bool] = lambda request: False,
        n: int = 1,
        guard: Guard | None = None,
        verdicts: Mapping[str, Message] = {},
    ) -> list[Message]:
        requests = [
            {
                "request": name,
                "kind": "text-to-image",
                "inputs": {"prompt": "a star", "seed": 1, "width": 64, "height": 64, "n": n},
                "files": {},
                "folder": str(folder(name)),
                "provenance": {},
                "verdict": verdicts.get(name),
            }
            for name in ("a", "b")
        ]
        sender = Sender(writing)
        order = {"model": {}, "requests": requests}
        current = Run(sender, Nobody(stopped), order, Finisher(sender, guard))
        try:
            current.carry_out(Broken(run) if callable(run) else run, current.waiting)
        except PipelineError as error:
            current.fail_rest(error)
        messages: list[Message] = []
        receiver = Receiver(reading)
        while (message := receiver.receive(0)) is not None:
            messages.append(message)
        return messages

    yield carry_out
    os.close(reading)
    os.close(writing)


def picture(index: int = 0) -> Output:
    return Output(index, Image.new("RGB", (8, 8)), seed=1)


def told(messages: list[Message]) -> list[tuple[str, Any]]:
    return [(message["is"], message.get("request")) for message in messages]


def test_a_stopped_row_ends_and_its_neighbour_is_done(carry_out: Callable[..., list[Message]]) -> None:
    def run(batch: list[Request], progress: Progress) -> list[list[Output]]:
        assert progress(1, 1) == {1}
        return [[picture()], []]

    messages = carry_out(run, stopped=lambda request: request == "b")
    assert told(messages)[-3:] == [("stopped", "b"), ("encoding", "a"), ("done", "a")]


class Strict(Guard):
    """Finds dark pictures sexual, which its policy blocks."""

    def found_in(self, output: Output) -> Verdict:
        return Verdict(blocked=("sexual",)) if output.value.getpixel((0, 0)) == (0, 0, 0) else Verdict()


def test_what_is_kept_back_fails_its_request_alone_and_the_worker_is_told_why(
    carry_out: Callable[..., list[Message]],
) -> None:
    bright = Output(0, Image.new("RGB", (8, 8), "white"), seed=1)

    messages = carry_out(lambda batch, progress: [[picture()], [bright]], guard=Strict(Policy()))

    assert told(messages) == [
        ("encoding", "a"), ("found", "a"), ("failed", "a"), ("encoding", "b"), ("done", "b"),
    ]  # fmt: skip
    assert (messages[1]["categories"], messages[1]["follows"]) == (["sexual"], "block")
    assert messages[2]["error"]["type"] == "output_blocked"


class Talker:
    """A family that writes the same words for every request until it is stopped, or for long enough."""

    capabilities = Capabilities(max_batch=8, serves=("text-to-image",), streams=True)

    def __init__(self, words: Mapping[str, str]) -> None:
        self.words = words

    def serve(self, requests: Iterable[Request | None], emit: Emit) -> None:
        for request in filter(None, requests):
            pieces = 0
            while pieces < 100 and not emit.stopped(request):
                emit.delta(request, 0, self.words[request.id])
                pieces += 1
            if emit.stopped(request):
                emit.failed(request, Stopped())
            else:
                emit.done(request, [Output(0, self.words[request.id] * pieces, seed=1)])


def test_a_text_ends_where_it_becomes_what_is_blocked(carry_out: Callable[..., list[Message]]) -> None:
    talker = Talker({"a": "the child was naked, ", "b": "the fox met an owl, "})

    messages = carry_out(talker)

    seen = told(messages)
    assert ("done", "b") in seen
    assert seen.count(("delta", "b")) == 100
    assert 0 < seen.count(("delta", "a")) < 20
    assert [message["categories"] for message in messages if message["is"] == "found"] == [["minors"]]
    (failed,) = (message["error"] for message in messages if message["is"] == "failed")
    assert failed["type"] == "output_blocked"


def test_a_request_that_is_to_be_blurred_shows_no_previews(carry_out: Callable[..., list[Message]]) -> None:
    def run(batch: list[Request], progress: Progress) -> list[list[Output]]:
        progress(1, 1, [b"a", b"b"])
        return [[picture()], [picture()]]

    messages = carry_out(run, verdicts={"a": {"labels": ["sexual"], "blur": True}})

    shown = {message["request"]: message["preview"] for message in messages if message["is"] == "progress"}
    assert shown["a"] is None
    assert shown["b"]
    files = {message["request"]: message["files"] for message in messages if message["is"] == "done"}
    assert files["a"][0]["facts"] == {"safety": "sexual", "blurred": True}
    assert files["b"][0]["facts"] == {}


def test_a_stop_while_outputs_are_written_ends_it_before_the_next(
    carry_out: Callable[..., list[Message]],
) -> None:
    written: list[str] = []

    class Noted(Image.Image):
        """A picture of which it is known when it is written."""

        def convert(self, mode: str) -> Image.Image:
            written.append(mode)
            return Image.new(mode, (8, 8))

    def run(batch: list[Request], progress: Progress) -> list[list[Output]]:
        return [[Output(index, Noted(), seed=1) for index in range(batch[0].inputs.n)] for _ in batch]

    messages = carry_out(run, stopped=lambda request: len(written) == 2, n=3)
    assert [message["is"] for message in messages] == ["encoding", "encoding", "stopped", "stopped"]


def test_when_all_are_stopped_progress_raises(carry_out: Callable[..., list[Message]]) -> None:
    def run(batch: list[Request], progress: Progress) -> list[list[Output]]:
        with pytest.raises(Stopped):
            progress(1, 2)
        return [[], []]

    assert told(carry_out(run, stopped=lambda request: True))[-2:] == [("stopped", "a"), ("stopped", "b")]


@pytest.mark.parametrize("outputs", [[], [picture(0), picture(1)]])
def test_too_few_or_too_many_outputs_are_no_success(
    carry_out: Callable[..., list[Message]], outputs: list[Output]
) -> None:
    messages = carry_out(lambda batch, progress: [outputs, [picture()]])
    assert told(messages) == [("failed", "a"), ("encoding", "b"), ("done", "b")]
    assert messages[0]["error"]["detail"] == f"The model made {len(outputs)} of 1 outputs."


def test_a_family_that_stops_unasked_has_failed(carry_out: Callable[..., list[Message]]) -> None:
    def run(batch: list[Request], progress: Progress) -> list[list[Output]]:
        raise Stopped

    assert [message["is"] for message in carry_out(run)] == ["failed", "failed"]


def test_memory_errors_are_known_by_any_name() -> None:
    class OutOfMemoryError(RuntimeError):
        """torch's has this name."""

    assert isinstance(translate(MemoryError()), OutOfMemory)
    assert isinstance(translate(OutOfMemoryError()), OutOfMemory)


def test_a_full_disk_may_pass() -> None:
    assert isinstance(translate(OSError(28, "No space left on device: /secret")), TransientEngineError)
    assert "/secret" not in translate(OSError(28, "No space left on device: /secret")).detail


def test_an_error_of_the_device_ends_the_engine() -> None:
    error = RuntimeError("CUDA error: an illegal memory access was encountered")
    assert breaks_device(error)
    assert translate(error).retryable
    assert not breaks_device(RuntimeError("shapes do not match"))
