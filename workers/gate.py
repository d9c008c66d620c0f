"""Lets Celery take a doorbell off the broker only while the work loop rests.

A busy worker that took one would keep it from an idle one. Celery knows only of its own tasks, so it is
asked here, in the way of its own `worker_disable_prefetch`, to look at the work loop as well. The event
loop that waits for messages looks at most once a second; so it is woken, by a pipe, when the work loop
begins to rest.
"""

import os
from typing import Any

from celery import bootsteps
from celery.worker.consumer.tasks import Tasks

from workers.bell import Bell


class WakingPipe:
    """A pipe that wakes the event loop; safe to write from any thread."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self._writing, False)

    def wake(self) -> None:
        """Have the event loop look again."""
        try:
            os.write(self._writing, b"!")
        except BlockingIOError:  # full: it is awake already
            return

    def watch(self, hub: Any) -> None:
        """Wake this event loop from now on."""
        hub.add_reader(self._reading, os.read, self._reading, 4096)


def add_gate(app: Any, bell: Bell, pipe: WakingPipe) -> None:
    """Put the gate into the app's consumers."""

    class Gate(bootsteps.StartStopStep):  # type: ignore[misc]
        """Started again after each reconnection, which makes a new channel."""

        requires = (Tasks,)

        def start(self, consumer: Any) -> None:
            qos = consumer.task_consumer.channel.qos
            may_consume = qos.can_consume
            qos.can_consume = lambda: bell.resting and may_consume()

        def register_with_event_loop(self, _consumer: Any, hub: Any) -> None:
            pipe.watch(hub)

    app.steps["consumer"].add(Gate)
