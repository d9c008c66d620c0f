"""The server process: checks everything that can be wrong at start, then runs gunicorn with gevent workers.

A watcher is a greenlet, so thousands of idle ones cost memory and nothing else. The parent process loads no
application and serves nothing: it holds the socket and restarts what dies.
"""

import argparse
import errno
import os
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from redis import Redis

from api.loopback import is_loopback
from api.unreadable import LONGEST_REQUEST_LINE
from infra import logs, metrics
from infra.connections import Durability, check_durable, check_server, connect
from infra.crash_points import arm
from infra.errors import BadSetting, InfraError, StateUnavailable
from infra.keys import Keys, install_bootstrap_key
from infra.settings import Settings, load_settings

BACKLOG = 512
KEEP_ALIVE_SECONDS = (
    20  # between two requests of a connection; also for a request's head, however it trickles in
)
GRACE_SECONDS = 10  # for requests in flight after SIGTERM; watchers are let go at once
SILENT_SECONDS = 60  # a worker whose event loop has not turned for this long is replaced
OTHER_CONNECTIONS = 500  # beside the watchers, in one process
STATE_PATIENCE_SECONDS = 15.0  # a state server that starts at the same moment

MISTAKE = 2  # exit status: the operator must change something
UNAVAILABLE = 1  # exit status: a service does not answer

log = logs.get_logger()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the exit status."""
    try:
        settings = _settings(arguments)
        logs.configure(settings, process="api")
        metrics.configure(settings)
        arm(settings.crash_at)
        listener = listen(settings.host, settings.port)
        durability = check_state(settings)
    except StateUnavailable as error:
        print(f"atelier api: {error}", file=sys.stderr)
        return UNAVAILABLE
    except InfraError as error:
        print(f"atelier api: {error}", file=sys.stderr)
        return MISTAKE
    Server(settings, listener, durability).run()
    return 0


def _settings(arguments: Sequence[str] | None) -> Settings:
    parser = argparse.ArgumentParser(prog="python -m api", description="Serve Atelier's HTTP API.")
    parser.add_argument("--host", help="address to listen on (ATELIER_HOST)")
    parser.add_argument("--port", type=int, help="port to listen on, 0 for a free one (ATELIER_PORT)")
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    return load_settings(
        {**os.environ, **{f"ATELIER_{name.upper()}": str(value) for name, value in given.items()}}
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; BadSetting that names the way out when the address cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        raise BadSetting(_cannot_listen(host, port, error)) from None
    return listener


def _cannot_listen(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is taken by another program. Choose another one with --port N or"
            " ATELIER_PORT=N (0 takes a free one), or stop that program."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than this user has. Choose one from 1024 on with --port N."
    return f"Cannot listen on {host}:{port}: {error.strerror}. Set --host to an address of this machine."


def check_state(settings: Settings) -> Durability:
    """How the state server keeps what it is told. It is there, new enough and durable, and nobody can come in
    without a key from elsewhere; one that is not there yet is waited for.
    """
    deadline = time.monotonic() + STATE_PATIENCE_SECONDS
    with connect(settings.state_address, name="atelier-api-start") as state:
        while True:
            try:
                return _accept(state, settings)
            except StateUnavailable as error:
                if time.monotonic() > deadline:
                    raise
                log.warning("Waiting for the state server", action="api.waiting", error=str(error))
                time.sleep(0.5)


def _accept(state: Redis, settings: Settings) -> Durability:
    check_server(state)
    durability = check_durable(state, settings.durability)
    keys = Keys(state)
    install_bootstrap_key(settings, keys)
    if not is_loopback(settings.host) and not keys.any():
        raise BadSetting(
            f"Listening on {settings.host} lets other machines in, so it needs an API key first. Create one"
            " with `atelier keys create NAME`, or set ATELIER_BOOTSTRAP_KEY_FILE; or listen on 127.0.0.1."
        )
    return durability


class _Logger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's own records take our road: no handlers of their own."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn around `api.app`, on a socket that listens already."""

    def __init__(self, settings: Settings, listener: socket.socket, durability: Durability) -> None:
        host, port = listener.getsockname()[:2]
        self.settings = settings
        self._durability = durability
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._listener = listener.detach()
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": f"fd://{self._listener}",
            "workers": self.settings.api_processes,
            "worker_class": "api.greenlets.Worker",
            "worker_connections": self.settings.max_watchers + OTHER_CONNECTIONS,
            "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: S108 - a heartbeat file
            "keepalive": KEEP_ALIVE_SECONDS,
            "limit_request_line": LONGEST_REQUEST_LINE,
            "graceful_timeout": GRACE_SECONDS,
            "timeout": SILENT_SECONDS,
            "logger_class": _Logger,
            "loglevel": "warning",
            "control_socket_disable": True,
            "proc_name": "atelier-api",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """In a worker process: the application, with what runs beside it started.

        The parent has asked the state server: a process that is replaced while that is away serves, too.
        """
        from api.app import build_app

        app = build_app(self.settings, self._durability)
        log.info("The API is ready", action="api.ready", url=self.url, pid=os.getpid())
        return app
