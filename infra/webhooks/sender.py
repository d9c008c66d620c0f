"""Sending one message: sign it, post it, judge the answer."""

import time
from dataclasses import dataclass

from infra.outbound import Outbound, Unreachable, UrlRefused
from infra.webhooks import signing
from infra.webhooks.endpoints import Endpoints, NoTarget, Target
from infra.webhooks.messages import DeliveryAttempt, DeliveryState, Message
from infra.webhooks.outbox import Outcome
from infra.webhooks.schedule import pause_after, retry_after

GONE = 410


@dataclass(frozen=True, slots=True)
class Posted:
    """One attempt, and what the receiver wishes for the next one."""

    attempt: DeliveryAttempt
    retry_after: float | None = None
    """Seconds."""

    @property
    def delivered(self) -> bool:
        """Whether the receiver has it. A redirect is not followed, so it is a failure like any other."""
        return self.attempt.status is not None and 200 <= self.attempt.status < 300

    @property
    def gone(self) -> bool:
        return self.attempt.status == GONE


class Sender:
    """Sends messages. Safe to share between threads."""

    def __init__(self, endpoints: Endpoints, outbound: Outbound) -> None:
        self._endpoints = endpoints
        self._outbound = outbound

    def send(self, message: Message) -> Outcome:
        """Try once. StateUnavailable when its target cannot be looked up."""
        try:
            target = self._endpoints.target(message.webhook, message.owner)
        except NoTarget as error:
            return Outcome(DeliveryState.FAILED, DeliveryAttempt(_now(), 0, error=str(error)))
        posted = self.post(target, message.id, message.body())
        if posted.delivered:
            return Outcome(DeliveryState.DELIVERED, posted.attempt)
        return _failed(message, posted)

    def post(self, target: Target, message_id: str, body: bytes) -> Posted:
        """Post this body, signed as of now."""
        at, begun = _now(), time.monotonic()
        headers = signing.headers(target.secrets, message_id, at // 1000, body)
        headers["Content-Type"] = "application/json"
        try:
            reply = self._outbound.post(target.url, body, headers)
        except (UrlRefused, Unreachable) as error:
            return Posted(DeliveryAttempt(at, _milliseconds(begun), error=str(error)))
        attempt = DeliveryAttempt(at, _milliseconds(begun), status=reply.status)
        return Posted(attempt, retry_after(reply.status, reply.headers))


def failed(message: Message, error: str) -> Outcome:
    """Of an attempt that went wrong before there was an answer."""
    return _failed(message, Posted(DeliveryAttempt(_now(), 0, error=error)))


def _failed(message: Message, posted: Posted) -> Outcome:
    pause = None if posted.gone else pause_after(message.tries + 1, posted.retry_after)
    if pause is None:
        return Outcome(DeliveryState.FAILED, posted.attempt, gone=posted.gone)
    return Outcome(DeliveryState.PENDING, posted.attempt, pause_seconds=pause)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _milliseconds(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)
