"""The receiver of a storm's webhooks. What comes must be signed; that all of it comes is judged later."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from standardwebhooks import WebhookVerificationError

from tests.chaos.storm.ledger import Ledger, Line, now_ms
from tests.receiver import Answer, Received, Receiver


class Telling:
    """A receiver on a port that stays the same when the storm is gone on with."""

    def __init__(self, folder: Path, messages: Ledger) -> None:
        self._file = folder / "endpoint.json"
        self._endpoint: Line = json.loads(self._file.read_text()) if self._file.exists() else {}
        port = {"port": self._endpoint["port"]} if self._endpoint else {}
        self._receiver = Receiver(answer=self._hear, **port)
        self._messages = messages

    @property
    def allow(self) -> str:
        """For the API's settings."""
        return self._receiver.allow

    @property
    def endpoint_id(self) -> str:
        """What a job's `webhook` says."""
        return str(self._endpoint["id"])

    @contextmanager
    def serving(self) -> Iterator[None]:
        with self._receiver.serving():
            yield

    def subscribe(self, client: httpx.Client) -> None:
        """Make the endpoint, unless an earlier run has."""
        if not self._endpoint:
            answer = client.post("/v1/webhook-endpoints", json={"url": self._receiver.url})
            self._endpoint = {**answer.raise_for_status().json(), "port": self._receiver.port}
            self._file.write_text(json.dumps(self._endpoint))

    def _hear(self, received: Received) -> Answer:
        if len(received.body) < int(received.headers["content-length"]):
            return 400, {}  # who sent it was killed in the midst of it
        try:
            body = received.verified(self._endpoint["secret"])
        except WebhookVerificationError:
            self._messages.write(at=now_ms(), id=received.id, signed=False)
            return 400, {}
        data = body["data"]
        self._messages.write(at=now_ms(), id=received.id, signed=True, type=body["type"], job=data["id"])
        return 204, {}
