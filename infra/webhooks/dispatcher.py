"""The dispatcher: sends due messages, in every API process. Any number may run, with no leader."""

import threading
import time

from infra.crash_points import CrashPoint, crash_point
from infra.errors import StateUnavailable
from infra.logs import get_logger
from infra.metrics import WEBHOOK_DELIVERIES
from infra.webhooks.endpoints import DisabledBecause
from infra.webhooks.messages import DeliveryState, Message
from infra.webhooks.outbox import FLIGHT_SECONDS, Outbox, Outcome
from infra.webhooks.sender import Sender, failed

IN_FLIGHT = 64  # deliveries of one process at once; they mostly wait
LOOK_SECONDS = 0.5
SETTLE_PAUSE = 1.0
STOP_SECONDS = 5.0  # for what is in flight; the rest is sent again by another, when its lease is over

RESULTS = {
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.PENDING: "retried",
    DeliveryState.FAILED: "failed",
}

log = get_logger()


class Dispatcher:
    """Takes due messages, and sends each in a thread of its own, until stopped.

    A message is settled after it was sent, so a process that dies in between has it sent twice: receivers
    know it by its id.
    """

    def __init__(self, outbox: Outbox, sender: Sender, interval: float = LOOK_SECONDS) -> None:
        self._outbox = outbox
        self._sender = sender
        self._interval = interval
        self._stopped = threading.Event()
        self._landed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)
        self._flying: set[threading.Thread] = set()
        self._failing = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take nothing more, and wait a little for what is in flight."""
        self._stopped.set()
        self._landed.set()
        if self._thread.is_alive():
            self._thread.join()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._flying.copy():
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._landed.clear()
            if not self._look_or_log():
                self._landed.wait(self._interval)

    def _look_or_log(self) -> bool:
        """What nobody foresaw must not end the thread: the process would go on, and tell nobody any more."""
        try:
            return self._look()
        except Exception:
            log.exception("Due messages could not be taken", action="dispatcher.broken")
            return False

    def _look(self) -> bool:
        """Send what is due; whether there may be more."""
        free = IN_FLIGHT - len(self._flying)
        if free <= 0:
            return False
        try:
            messages = self._outbox.take(free)
        except StateUnavailable as error:
            if not self._failing:
                log.warning("Webhooks have to wait", action="dispatcher.failed", error=str(error))
            self._failing = True
            return False
        self._failing = False
        for message in messages:
            self._launch(message)
        return len(messages) == free

    def _launch(self, message: Message) -> None:
        thread = threading.Thread(target=self._deliver, args=(message,), name=message.id, daemon=True)
        self._flying.add(thread)
        try:
            thread.start()
        except RuntimeError:  # the process may have no more threads; the message's lease will end
            self._flying.discard(thread)
            raise

    def _deliver(self, message: Message) -> None:
        lease_ends = time.monotonic() + FLIGHT_SECONDS
        try:
            crash_point(CrashPoint.WEBHOOK_TAKEN)
            outcome = self._attempt(message)
            crash_point(CrashPoint.WEBHOOK_SENT)
            disabled = self._settle(message, outcome, lease_ends)
        except StateUnavailable as error:
            log.warning(
                "A message is sent again later",
                action="webhook.unsettled",
                **_about(message),
                error=str(error),
            )
        else:
            tell(message, outcome, disabled)
        finally:
            self._flying.discard(threading.current_thread())
            self._landed.set()  # there is room for another, maybe in a lane that was full

    def _attempt(self, message: Message) -> Outcome:
        """Send it. What nobody foresaw is logged and counts as a failed attempt: else it would come at once
        again, and for ever."""
        try:
            return self._sender.send(message)
        except StateUnavailable:
            raise
        except Exception:
            log.exception("A message could not be sent", action="webhook.broken", **_about(message))
            return failed(message, "Something went wrong in the sender; it was logged.")

    def _settle(self, message: Message, outcome: Outcome, lease_ends: float) -> DisabledBecause | None:
        """Tried for as long as nobody else has the message, since what is not noted is sent twice."""
        while True:
            try:
                return self._outbox.settle(message, outcome)
            except StateUnavailable:
                if self._stopped.is_set() or time.monotonic() > lease_ends:
                    raise
            time.sleep(SETTLE_PAUSE)


def tell(message: Message, outcome: Outcome, disabled: DisabledBecause | None) -> None:
    """Log and count an attempt. URLs are not logged: they may hold a receiver's own secrets."""
    WEBHOOK_DELIVERIES.inc(result=RESULTS[outcome.state])
    attempt = outcome.attempt
    facts = _about(message) | {
        "result": RESULTS[outcome.state],
        "status": attempt.status,
        "error": attempt.error,
        "milliseconds": attempt.milliseconds,
    }
    level = log.info if outcome.state is DeliveryState.DELIVERED else log.warning
    level("A webhook was called", action="webhook.called", **facts)
    if disabled:
        log.warning(
            "A webhook endpoint was disabled", action="webhook.disabled", **_about(message), because=disabled
        )


def _about(message: Message) -> dict[str, str]:
    endpoint = {} if "://" in message.webhook else {"endpoint": message.webhook}
    return {"message_id": message.id, "job_id": message.job, "owner": message.owner, **endpoint}
