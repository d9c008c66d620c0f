"""A family for tests: does every kind, and what the words of the prompt say, and needs no torch.

Put this folder on PYTHONPATH (its `dist-info` names the entry point) and `catalog.toml` beside this file in
ATELIER_CATALOG. Words of a prompt, in any order; other words do nothing:

    sleep=S          wait S seconds before each step (or token)
    steps=N          take N steps instead of the inputs' steps (text: N tokens, `word0 word1 …`; music: 3)
    at=N             when the following happen: after N steps have been told (default 1; 0: before the first)
    fail=retryable   raise TransientEngineError       fail=fatal       raise EngineError
    fail=bug         raise ZeroDivisionError, as a bug in a family would
    fail=device      raise AcceleratorError, as torch does when the device's context is broken
    oom              raise OutOfMemory                crash            end the process at once, exit status 70
    segfault         read address 0                   hang             sleep for ever, telling nothing
    gil=S            hold the GIL for S seconds, so that no other thread of the process runs
    encode=S         each picture takes S seconds to be written as a file
    times=N          misbehave only in the first N runs with this log (needs log=); afterwards run well
    ignore_stop      go on although stopped
    preview          send a small preview with each step
    big=N            each picture is noise of at least N bytes as PNG; each text has N characters more
    sound            a video has a sound track       score            music comes with a score (MIDI)
    log=/path        append a JSON line at each start and end: event, request, kind, batch, pid, seconds

A conversation's prompt is its last message, that of code is the instruction or else the prefix.

The weights folder's `behaviour.txt` may hold

    load_sleep=S     take S seconds to load           load_fail, load_crash
    bytes=N          hold N bytes once loaded         shared=N  and N bytes that all share who say this number
    read=S           map the folder's safetensors, and touch them bit by bit in S seconds
"""

import ctypes
import json
import mmap
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from fake_outputs import make, noise, preview
from PIL import Image

from pipelines.base import Capabilities, Emit, Output, Progress, Request
from pipelines.errors import (
    EngineError,
    ModelUnavailable,
    OutOfMemory,
    PipelineError,
    Stopped,
    TransientEngineError,
)
from pipelines.kinds import KINDS
from pipelines.seeds import output_seed

CRASH_STATUS = 70
STEPS = 3


class AcceleratorError(RuntimeError):
    """Named as torch's own, by which the engine knows it."""


FAILURES: dict[str, type[Exception]] = {
    "retryable": TransientEngineError,
    "fatal": EngineError,
    "bug": ZeroDivisionError,
    "device": AcceleratorError,
}


class Fake:
    kinds: ClassVar = tuple(KINDS)
    capabilities: ClassVar = Capabilities(
        max_batch=8, serves=("text", "chat", "code"), streams=True, previews=True
    )

    @classmethod
    def load(cls, weights: Path, device: str, dtype: str) -> "Fake":
        words = Words((weights / "behaviour.txt").read_text())
        time.sleep(words.number("load_sleep"))
        if "load_fail" in words:
            raise ModelUnavailable("these weights do not load, as their behaviour.txt says")
        if "load_crash" in words:
            os._exit(CRASH_STATUS)
        if "read" in words:
            touch(next(weights.glob("*.safetensors")), words.number("read"))
        return cls([Storage(int(words.number("bytes"))), Storage.shared(int(words.number("shared")))])

    def __init__(self, storages: "list[Storage]") -> None:
        self.tensors = [Tensor(storage) for storage in storages]

    def run(self, batch: list[Request], progress: Progress) -> list[list[Output]]:
        """Pictures, videos and music, of which the seed decides."""
        scripts = [Script(request, len(batch)) for request in batch]
        total = max(
            script.steps(request.inputs.steps or STEPS)
            for script, request in zip(scripts, batch, strict=True)
        )
        stopped: set[int] = set()
        for step in range(total + 1):
            if step:
                for script in scripts:
                    script.wait()
                stopped |= self._tell(scripts, progress, step, total)
            for script in scripts:
                script.misbehave_after(step)
        for path in (path for request in batch for path in request.files.values()):
            path.read_bytes()  # families may need an input at any time, of a row that was stopped too
        outputs = [
            [] if row in stopped else self._outputs(request, script)
            for row, (request, script) in enumerate(zip(batch, scripts, strict=True))
        ]
        for script in scripts:
            script.note("ended")
        return outputs

    def serve(self, requests: Iterable[Request | None], emit: Emit) -> None:
        """`word0 word1 …` for each request, one request after the other."""
        for request in requests:
            if request is None:  # none has come since
                continue
            script = Script(request, 1)
            try:
                emit.done(request, self._texts(request, script, emit))
            except PipelineError as error:
                emit.failed(request, error)
            script.note("ended")

    @staticmethod
    def _tell(scripts: list["Script"], progress: Progress, step: int, total: int) -> set[int]:
        previews = [preview(step) if "preview" in script.words else None for script in scripts]
        try:
            stopped = progress(step, total, previews if any(previews) else None)
        except Stopped:
            if not all("ignore_stop" in script.words for script in scripts):
                raise
            return set()
        return {row for row in stopped if "ignore_stop" not in scripts[row].words}

    @staticmethod
    def _outputs(request: Request, script: "Script") -> list[Output]:
        seeds = [output_seed(request.inputs.seed, index) for index in range(request.inputs.n)]
        values = [script.value(seed) for seed in seeds]
        if "encode" in script.words and not script.well_behaved:
            values = [Slow(value, script.words.number("encode")) for value in values]
        return [
            Output(index, value, seed) for index, (value, seed) in enumerate(zip(values, seeds, strict=True))
        ]

    @staticmethod
    def _texts(request: Request, script: "Script", emit: Emit) -> list[Output]:
        per_output, count = script.steps(request.inputs.max_tokens), request.inputs.n
        script.misbehave_after(0)
        outputs = []
        for index in range(count):
            text = "x" * int(script.words.number("big"))
            if text:
                emit.delta(request, index, text)
            for token in range(per_output):
                script.wait()
                if emit.stopped(request) and "ignore_stop" not in script.words:
                    raise Stopped
                piece = f" word{token}" if token else f"word{token}"
                emit.delta(request, index, piece)
                emit.progress(request, index * per_output + token + 1, count * per_output)
                text += piece
                script.misbehave_after(token + 1)
            outputs.append(Output(index, text, output_seed(request.inputs.seed, index)))
        return outputs


class Storage:
    """Counts as so many bytes, as a tensor's does."""

    together: ClassVar[dict[int, "Storage"]] = {}

    def __init__(self, size: int) -> None:
        self.size = size

    @classmethod
    def shared(cls, size: int) -> "Storage":
        return cls.together.setdefault(size, cls(size))

    def data_ptr(self) -> int:
        return id(self)

    def nbytes(self) -> int:
        return self.size


class Tensor:
    """What the engine finds when it counts what a pipeline holds."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def untyped_storage(self) -> Storage:
        return self._storage


def touch(file: Path, seconds: float, parts: int = 20) -> None:
    """Read a file by its pages in memory, as weights are."""
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        for part in range(parts):
            len(mapped[part * len(mapped) // parts : (part + 1) * len(mapped) // parts])
            time.sleep(seconds / parts)


class Slow:
    """A picture that takes its time when it is to be written."""

    def __init__(self, picture: Image.Image, seconds: float) -> None:
        self.picture, self.seconds = picture, seconds

    def convert(self, mode: str) -> Image.Image:
        time.sleep(self.seconds)
        return self.picture.convert(mode)


class Words:
    """The `key=value` and bare words of a prompt."""

    def __init__(self, text: str) -> None:
        self.values = {key: value for key, _, value in (word.partition("=") for word in text.split())}

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def number(self, key: str, default: float = 0) -> float:
        return float(self.values.get(key) or default)  # a bare word is no number


class Script:
    """What one request's prompt says, and its log."""

    def __init__(self, request: Request, batch: int) -> None:
        self.request, self.batch = request, batch
        self.prompt = _prompt(request.inputs)
        self.words = Words(self.prompt)
        self.well_behaved = "times" in self.words and self.runs_before() >= self.words.number("times")
        self.note("started")

    def steps(self, default: int) -> int:
        return int(self.words.number("steps", default))

    def value(self, seed: int) -> Any:
        size = int(self.words.number("big"))
        return noise(self.request, seed, self.prompt, size) if size else make(self.request, seed, self.prompt)

    def wait(self) -> None:
        time.sleep(self.words.number("sleep"))

    def misbehave_after(self, step: int) -> None:
        if self.well_behaved or step != self.words.number("at", 1):
            return
        if "fail" in self.words:
            raise FAILURES[self.words.values["fail"]]("the prompt says so")
        if "oom" in self.words:
            raise OutOfMemory("the prompt says so")
        if "crash" in self.words:
            os._exit(CRASH_STATUS)
        if "segfault" in self.words:
            ctypes.string_at(0)
        if "gil" in self.words:
            ctypes.PyDLL(None).usleep(int(self.words.number("gil") * 1e6))
        while "hang" in self.words:
            time.sleep(1)

    def runs_before(self) -> int:
        path = Path(self.words.values["log"])
        return path.read_text().count('"started"') if path.exists() else 0

    def note(self, event: str) -> None:
        if "log" not in self.words:
            return
        line = {
            "event": event,
            "request": self.request.id,
            "kind": self.request.kind,
            "batch": self.batch,
            "pid": os.getpid(),
            "seconds": time.time(),
        }
        with Path(self.words.values["log"]).open("a") as file:
            file.write(json.dumps(line) + "\n")


def _prompt(inputs: Any) -> str:
    match inputs.kind:
        case "chat":
            return inputs.messages[-1].content
        case "code":
            return inputs.prompt or inputs.prefix
        case _:
            return inputs.prompt
