"""A text job's output, piece by piece, although connections break and attempts begin anew."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atelier.records import Event

if TYPE_CHECKING:
    from atelier.client import Client


@dataclass(frozen=True)
class TextPart:
    """The next piece. restarted: another attempt writes something else; forget all pieces before this one."""

    text: str
    restarted: bool = False


@dataclass
class Assembler:
    """Puts one output's deltas in order. Offsets count characters from the start of an attempt's text."""

    index: int = 0
    text: str = ""
    _attempt: object = None
    _written: int = (
        0  # characters of this attempt that were seen; below len(text) while it repeats the last one
    )

    def feed(self, event: Event) -> TextPart | None:
        """What is new in this event; None for nothing, or if a piece before it is missing (see `finish`)."""
        data = event.data
        if event.type != "job.output" or data.get("index", 0) != self.index:
            return None
        if data.get("attempt") != self._attempt:
            self._attempt, self._written = data.get("attempt"), 0
        offset, delta = int(data.get("offset", 0)), str(data.get("delta", ""))
        if offset > self._written:
            return None
        self._written = max(self._written, offset + len(delta))
        return self._become(self.text[:offset] + delta)

    def finish(self, whole: str) -> TextPart | None:
        """What is still missing from the finished text."""
        if self.text != whole and self.text.startswith(whole):
            self.text = whole
            return TextPart(whole, restarted=True)
        return self._become(whole)

    def _become(self, known: str) -> TextPart | None:
        """Move on to `known`, this attempt's text so far; None if that tells nothing new."""
        if self.text.startswith(known):
            return None
        if known.startswith(self.text):
            part = TextPart(known[len(self.text) :])
        else:
            part = TextPart(known, restarted=True)
        self.text = known
        return part


def text_parts(client: "Client", job_id: str, index: int = 0) -> Iterator[TextPart]:
    """The output's pieces as they are made; joined, from the last restart on, they are the finished text.

    Ends when the job does, however that is: look at `client.get(job_id)` afterwards.
    """
    assembler = Assembler(index)
    for event in client.stream(job_id):
        if part := assembler.feed(event):
            yield part
    job = client.get(job_id)
    for artifact in job.outputs:
        if artifact.index == index and (part := assembler.finish(client.read(job, artifact).decode())):
            yield part
