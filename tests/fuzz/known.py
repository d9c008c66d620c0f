"""What exists on the fuzzed server, as answers tell it."""

import json
import random
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]
REMEMBERED = 200


def _some() -> "deque[Any]":
    return deque(maxlen=REMEMBERED)


@dataclass
class Known:
    """Ids to put into requests. The anchors are never deleted, so there is always one of each."""

    anchors: Json
    """`job` (final, with a picture), `artifact` (its name), `upload` (a picture), `video`, `audio`, `tale` (a
    text job that is final), `endpoint`, `message`, `worker`."""
    jobs: "deque[str]" = field(default_factory=_some)
    endpoints: "deque[str]" = field(default_factory=_some)
    uploads: "deque[str]" = field(default_factory=_some)
    cursors: "deque[str]" = field(default_factory=_some)
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # the same run for the same seed

    @classmethod
    def load(cls, file: Path) -> "Known":
        """The anchors that `tests.fuzz.anchors` has written."""
        return cls(json.loads(file.read_text()))

    def job(self) -> str:
        """A job, whatever its state."""
        return self.chance.choice([*self.jobs, self.anchors["job"]])

    def upload(self) -> str:
        return self.chance.choice([*self.uploads, self.anchors["upload"]])

    def endpoint(self) -> str:
        return self.chance.choice([*self.endpoints, self.anchors["endpoint"]])

    def taken_job(self) -> str | None:
        """A job that is named no more afterwards, for a call that removes it."""
        return self.jobs.popleft() if self.jobs else None

    def taken_endpoint(self) -> str | None:
        return self.endpoints.popleft() if self.endpoints else None

    def learn(self, path: str, method: str, body: Any) -> None:
        """Remember what an answer has made or listed."""
        if isinstance(body, dict) and body.get("next_cursor"):
            self.cursors.append(body["next_cursor"])
        kept = {"/v1/jobs": self.jobs, "/v1/uploads": self.uploads, "/v1/webhook-endpoints": self.endpoints}
        if method == "POST" and path in kept:
            made = [each for each in body.get("data", [body]) if _shows(each)]
            kept[path].extend(each["id"] for each in made)


def _shows(made: Json) -> bool:
    """Whether it is no upload of another sort than a picture, which is all that `upload` gives."""
    return str(made.get("media_type", "image/")).startswith("image/")
