"""gunicorn's gevent worker, with what it lacks: no connection may stall for ever, and watchers go at once."""

from typing import Any

import gevent
from flask import Flask
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from api.patching import close_at_once
from api.services import EXTENSION, Services

STALLED_SECONDS = (
    60.0  # a client that takes none of the bytes sent to it, or sends none of those that it promised
)


class Worker(GeventWorker):
    """One API process."""

    def patch(self) -> None:
        super().patch()  # patches all again, beside making the sockets gevent's
        close_at_once()

    def handle(self, listener: Any, client: Any, address: Any) -> None:
        client.settimeout(STALLED_SECONDS)
        AsyncWorker.handle(self, listener, client, address)  # GeventWorker's would make it wait for ever

    def run(self) -> None:
        self._services.start()
        try:
            super().run()
        finally:
            self._services.stop()

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """SIGTERM: serve what is in flight, take nothing new."""
        gevent.spawn(self._services.hub.close)
        super().handle_exit(sig, frame)

    def handle_quit(self, sig: Any, frame: Any) -> None:
        """SIGINT, by way of gunicorn's parent: end soon."""
        gevent.spawn(self._services.hub.close)
        super().handle_quit(sig, frame)

    @property
    def _services(self) -> Services:
        app: Flask = self.wsgi
        found: Services = app.extensions[EXTENSION]
        return found
