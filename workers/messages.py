"""What a worker and its engine say to each other: one JSON object a line, over two pipes of their own.

Every message has `v`, the schema number, and `is`, its name. Both ends come from one release, so another
number means a mixed installation and ends the engine. A message of the engine about one request has
`request`, the attempt's id.

From the worker:
  run       model {name, family, weights, dtype, …}, requests [{request, kind, inputs, files, folder,
            provenance, verdict {labels, blur}?, repeatable?}]
  join      as run: requests that begin beside those that run now, where the family serves their kind and the
            model is the same; else they are a run of their own after it
  stop      request: end it at the next step
  load      model: have it ready, though no request waits for it; answered by `finished`
  unload    models [names]: let them go; answered by `finished`
From the engine:
  ready     the engine has started and its device answers: pid, warm, memory
  loading   model: it is not in the cache and is being loaded
  reading   model, fraction: so much of its files has been read
  loaded    model, seconds, warm, memory
  not_loaded model, type, detail: an error's, or NO_ROOM
  unloaded  model, why: room, idle, memory, broken or changed (workers.engine_cache); warm, memory
  started   the requests run now, or one of them that is tried alone: serves (whether others may join), most
            (rows that the model computes at once)
  progress  request, step, total, stage, preview? {media_type, base64}
  delta     request, index, text: more of output `index`
  found     request, categories, follows: what the safety filter found in its outputs
  encoding  request: it has run; its next output is being written as files
  done      request, files [as pipelines.outputs.File]: all are in the request's folder
  stopped   request: ended because of `stop`
  failed    request, error {type, title, detail, retryable}
  finished  the device is free for another run, or another order is carried out: model?, warm, memory,
            encoding? [requests whose outputs are being written; all others of the run are told]

`warm` is a list of the names of the loaded models, last used last; `memory` is {budget, held, models {name:
bytes}}: bytes that weights and a run may take, bytes of all weights together, and of each model's.
"""

import json
import os
import select
import threading
from collections.abc import Iterator
from typing import Any

SCHEMA = 3
CHUNK = 1 << 16  # bytes; a pipe's usual capacity

NO_ROOM = "no_room"
"""In place of an error's type: a model that nobody waits for does not fit beside those that are loaded."""

Message = dict[str, Any]


class PipeClosed(Exception):
    """The other end of the pipe is gone."""


class PipeFull(Exception):
    """The other end has not read for too long."""


class Sender:
    """Writes messages to a pipe; safe from several threads. `patience`: for how many seconds it waits for a
    reader that is busy; None: as long as there is one."""

    def __init__(self, descriptor: int, patience: float | None = None) -> None:
        self._descriptor = descriptor
        self._patience = patience
        self._lock = threading.Lock()
        os.set_blocking(descriptor, patience is None)

    def send(self, name: str, **fields: Any) -> None:
        """Write one message; PipeClosed when nobody reads any more, PipeFull when nobody does in time."""
        line = memoryview(json.dumps({"v": SCHEMA, "is": name, **fields}).encode() + b"\n")
        with self._lock:
            try:
                while line:
                    if not select.select([], [self._descriptor], [], self._patience)[1]:
                        raise PipeFull
                    line = line[os.write(self._descriptor, line) :]
            except OSError as error:
                raise PipeClosed(str(error)) from error

    def close(self) -> None:
        os.close(self._descriptor)


class Receiver:
    """Reads messages from a pipe; for one thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""

    def receive(self, timeout: float | None = None) -> Message | None:
        """The next message; None when none came within `timeout` seconds. PipeClosed at the end."""
        while b"\n" not in self._rest:
            if not select.select([self._descriptor], [], [], timeout)[0]:
                return None
            chunk = os.read(self._descriptor, CHUNK)
            if not chunk:
                raise PipeClosed("the other end closed the pipe")
            self._rest += chunk
        line, self._rest = self._rest.split(b"\n", 1)
        return _parse(line)

    def __iter__(self) -> Iterator[Message]:
        """Every message until the pipe closes."""
        try:
            while (message := self.receive()) is not None:
                yield message
        except PipeClosed:
            return

    def close(self) -> None:
        os.close(self._descriptor)


def _parse(line: bytes) -> Message:
    message: Message = json.loads(line)
    if message.get("v") != SCHEMA:
        raise ValueError(
            f"message of schema {message.get('v')!r}, this is {SCHEMA}: worker and engine differ"
        )
    return message
