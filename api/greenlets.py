"""gunicorn's gevent worker, with what it lacks: no connection may stall for ever, and watchers go at once."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gevent
from flask import Flask
from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.http.wsgi import Response
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from api.patching import close_at_once
from api.services import EXTENSION, Services
from api.unreadable import refusal

STALLED_SECONDS = (
    60.0  # a client that takes none of the bytes sent to it, or sends none of those that it promised
)


class WholeAnswer(Response):  # type: ignore[misc]  # gunicorn has no types
    """An answer whose body comes in one piece goes out in one piece, head and all; gunicorn sends two."""

    headers_sent: bool

    def write(self, arg: bytes) -> None:
        if self.headers_sent or self._omits_body or self.response_length != len(arg):
            super().write(arg)
            return
        lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]
        self.headers_sent = True
        self.sent = len(arg)
        util.write(self.sock, "".join(lines).encode("latin-1") + arg)


wsgi.Response = WholeAnswer  # what it makes answers of; it does not ask for another class


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """One API process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._idle: dict[gevent.Greenlet, gevent.Timeout] = {}  # connections between two requests

    def patch(self) -> None:
        super().patch()  # patches all again, beside making the sockets gevent's
        close_at_once()

    def handle(self, listener: Any, client: Any, address: Any) -> None:
        client.settimeout(STALLED_SECONDS)
        AsyncWorker.handle(self, listener, client, address)  # GeventWorker's would make it wait for ever

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer a request that could not be read, and so reached no application."""
        answer = refusal(exc)
        if answer is None:
            super().handle_error(req, client, addr, exc)
            return
        with suppress(OSError):  # it may be gone already
            client.sendall(answer)

    def run(self) -> None:
        alive = gevent.spawn(self._tell_that_it_lives)
        try:
            self._services.start()  # which may walk through a large home first
        finally:
            alive.kill()
        try:
            super().run()
        finally:
            self._services.stop()

    def _tell_that_it_lives(self) -> None:
        while True:
            self.notify()
            gevent.sleep(1.0)

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Round the wait for a connection's next request, which may take `keepalive` seconds."""
        timer = gevent.Timeout.start_new(self.cfg.keepalive if self.alive else 0)
        self._idle[gevent.getcurrent()] = timer
        try:
            yield
        except gevent.Timeout as fired:
            if fired is not timer:
                raise
        finally:
            timer.close()
            del self._idle[gevent.getcurrent()]

    def _let_go(self) -> None:
        """End what would keep this process from ending: watchers, and connections that ask nothing."""
        self._services.hub.close()
        for greenlet, timer in list(self._idle.items()):
            greenlet.kill(timer, block=False)

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """SIGTERM: serve what is in flight, take nothing new."""
        gevent.spawn(self._let_go)
        super().handle_exit(sig, frame)

    def handle_quit(self, sig: Any, frame: Any) -> None:
        """SIGINT, by way of gunicorn's parent: end soon."""
        gevent.spawn(self._let_go)
        super().handle_quit(sig, frame)

    @property
    def _services(self) -> Services:
        app: Flask = self.wsgi
        found: Services = app.extensions[EXTENSION]
        return found
