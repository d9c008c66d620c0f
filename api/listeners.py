"""One subscription to each server, which feeds the hub. Both connect again for ever; neither ever raises."""

import threading
import time
from abc import ABC, abstractmethod
from typing import Any

import redis
from redis.client import PubSub

from api.hub import Hub
from infra.jobs.events import CHANNEL as EVENTS_CHANNEL
from infra.jobs.live import CHANNEL as LIVE_CHANNEL
from infra.keys import CHANGED as KEYS_CHANGED
from infra.keys import RememberedKeys
from infra.logs import get_logger

NOBODY = LIVE_CHANNEL + "nobody"  # keeps the subscription open while no job is watched
POLL_SECONDS = 0.25  # how late a new watcher's live channel is subscribed to
PING_SECONDS = 5.0  # a subscription that has been silent for twice this long is taken for dead
PAUSE_SECONDS = 0.5  # between two attempts to connect

log = get_logger()


class Listener(ABC):
    """A thread (under gevent a greenlet) that owns one subscription."""

    name: str

    def __init__(self, client: redis.Redis, hub: Hub) -> None:
        self._client = client
        self._hub = hub
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._connected = True  # so that the first failure is logged

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with self._client.pubsub() as subscription:  # type: ignore[no-untyped-call]
                    self._session(subscription)
            except (redis.RedisError, OSError) as error:
                if self._connected:
                    log.warning(
                        "listener lost its server",
                        action="listener.lost",
                        listener=self.name,
                        error=str(error),
                    )
                self._connected = False
                self._stopped.wait(PAUSE_SECONDS)

    def _session(self, subscription: PubSub) -> None:
        self._subscribe(subscription)
        if not self._connected:
            log.info("listener is back", action="listener.back", listener=self.name)
        self._connected = True
        self._hub.wake_all()  # what happened while nobody listened
        heard = pinged = time.monotonic()
        while not self._stopped.is_set():
            message = subscription.get_message(timeout=POLL_SECONDS)
            now = time.monotonic()
            if message is not None:
                heard = now
                if message["type"] == "message":
                    self._deliver(message)
            if now - heard > 2 * PING_SECONDS:
                raise redis.ConnectionError("the subscription is silent")
            if now - pinged > PING_SECONDS:
                subscription.ping()
                pinged = now
            self._follow(subscription)

    @abstractmethod
    def _subscribe(self, subscription: PubSub) -> None:
        """Subscribe to what this listener needs from the start."""

    @abstractmethod
    def _deliver(self, message: dict[str, Any]) -> None:
        """Hand one message to the hub."""

    @abstractmethod
    def _follow(self, subscription: PubSub) -> None:
        """Change the subscription to what is watched now."""


class EventsListener(Listener):
    """Hears from the state server which job has changed, and that a key has."""

    name = "events"

    def __init__(self, client: redis.Redis, hub: Hub, keys: RememberedKeys) -> None:
        super().__init__(client, hub)
        self._keys = keys

    def _subscribe(self, subscription: PubSub) -> None:
        subscription.subscribe(EVENTS_CHANNEL, KEYS_CHANGED)
        self._keys.forget()

    def _deliver(self, message: dict[str, Any]) -> None:
        if _text(message["channel"]) == KEYS_CHANGED:
            self._keys.forget()
        else:
            self._hub.wake(_text(message["data"]))

    def _follow(self, subscription: PubSub) -> None:
        """Nothing: one channel tells of all jobs."""


class LiveListener(Listener):
    """Hears live progress from the broker, of watched jobs only: previews are large."""

    name = "live"

    def _subscribe(self, subscription: PubSub) -> None:
        self._following: frozenset[str] = frozenset()
        subscription.subscribe(NOBODY)

    def _deliver(self, message: dict[str, Any]) -> None:
        self._hub.show(_text(message["channel"]).removeprefix(LIVE_CHANNEL), message["data"])

    def _follow(self, subscription: PubSub) -> None:
        watched = self._hub.watched
        if new := watched - self._following:
            subscription.subscribe(*(LIVE_CHANNEL + job_id for job_id in new))
        if old := self._following - watched:
            subscription.unsubscribe(*(LIVE_CHANNEL + job_id for job_id in old))  # type: ignore[no-untyped-call]
        self._following = watched


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
