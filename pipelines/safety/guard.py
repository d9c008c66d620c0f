"""The output filter: what was made is looked at before anybody gets it."""

import traceback
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from pipelines.base import Output
from pipelines.errors import OutputBlocked
from pipelines.models import Model
from pipelines.outputs import Video
from pipelines.safety.classifiers import Classifier, load_classifier
from pipelines.safety.policy import Policy, Verdict
from pipelines.safety.prompts import OVERLAP, categories_in

LOOKED_AT = 8
"""Frames of a video that are looked at, evenly spaced."""

BLURRED_SIDE = 10
"""Pixels of the longer side to which a picture is brought down before it is drawn out again."""


READ_EVERY = 200
"""Characters of a text after which it is read, while it is written."""


class Guard:
    """Holds outputs against the policy, with the classifiers that are installed."""

    def __init__(self, policy: Policy, classifiers: Sequence[Model] = ()) -> None:
        self._policy = policy
        self._rows = list(classifiers)
        self._loaded: dict[str, Classifier] = {}

    def hides_previews(self, verdict: Verdict) -> bool:
        """Whether unfinished pictures would show what the finished ones may not."""
        return verdict.blur or (bool(self._rows) and self._policy.withholds)

    def stream(self) -> "Stream":
        """What reads a text while it is written."""
        return Stream(self._policy)

    def found_in(self, output: Output) -> Verdict:
        """What follows from what is in an output; raises OutputBlocked where it cannot be looked at and must
        be.
        """
        match output.value:
            case str() as text:
                return self._policy.judge(categories_in(text))
            case Image.Image() as picture:
                return self._seen([picture])
            case Video(frames=frames):
                chosen = np.linspace(0, len(frames) - 1, min(LOOKED_AT, len(frames))).round().astype(int)
                return self._seen([Image.fromarray(frames[number]) for number in chosen])
            case _:
                return Verdict()  # nothing is known that listens

    def _seen(self, pictures: Sequence[Image.Image]) -> Verdict:
        """What the classifiers find in pictures."""
        found: set[str] = set()
        for row in self._rows:
            try:
                if row.name not in self._loaded:
                    self._loaded[row.name] = load_classifier(row)
                found |= self._loaded[row.name].found_in([picture.convert("RGB") for picture in pictures])
            except Exception as error:
                traceback.print_exception(error)
                if self._policy.fail_closed:
                    raise OutputBlocked(f"It could not be checked: {row.name} failed.") from error
        if not self._rows and self._policy.fail_closed:
            raise OutputBlocked("It could not be checked: no classifier is installed.")
        return self._policy.judge(sorted(found))


class Stream:
    """A text that is read while it is written, now and then."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._read, self._unread = "", ""

    def blocked_by(self, piece: str) -> tuple[str, ...]:
        """The categories for which the text must not go on after this piece."""
        self._unread += piece
        if len(self._unread) < READ_EVERY:
            return ()
        text = self._read[-OVERLAP:] + self._unread
        self._read, self._unread = text, ""
        return self._policy.judge(categories_in(text)).blocked


def released(output: Output, verdict: Verdict) -> Output:
    """An output as it may be given out: blurred or labelled where the verdict says so."""
    facts: dict[str, Any] = dict(output.facts)
    if verdict.labels:
        facts["safety"] = ", ".join(verdict.labels)
    value = blurred(output.value) if verdict.blur else output.value
    if value is not output.value:
        facts["blurred"] = True
    return replace(output, value=value, facts=facts)


def blurred(value: Any) -> Any:
    """A picture or video made unrecognisable; anything else as it is."""
    match value:
        case Image.Image() as picture:
            share = BLURRED_SIDE / max(picture.size)
            small = picture.convert("RGB").resize(
                (max(1, round(picture.width * share)), max(1, round(picture.height * share))),
                Image.Resampling.BOX,
            )
            return small.resize(picture.size, Image.Resampling.BICUBIC)
        case Video(frames=frames) as video:
            changed = [np.asarray(blurred(Image.fromarray(frame)), np.uint8) for frame in frames]
            return replace(video, frames=np.stack(changed))
        case _:
            return value
