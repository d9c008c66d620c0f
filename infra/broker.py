"""Celery as a doorbell: its configuration, and the one message that is ever sent."""

import threading
import time
from collections.abc import Iterable
from typing import Any

from celery import Celery, signals
from kombu import Queue

from infra.errors import BadSetting
from infra.logs import get_logger
from infra.metrics import DOORBELLS
from infra.settings import Settings

DOORBELL = "atelier.doorbell"
"""Name of the only Celery task. Arguments: the queue's name and the id of the job that rang."""

KEY_PREFIX = "atl:mq:"
"""Before each of Celery's keys on the broker; a queue's waiting doorbells are the list `atl:mq:<queue>`."""

RING_SOCKET_SECONDS = 0.3  # of one wait when ringing; two tries of a hung broker stay below a second
RING_WAIT_SECONDS = 0.2  # for one of the connections that ring
RING_CONNECTIONS = 4
QUIET_SECONDS = 1.0  # after a failure: idle workers look for themselves every 2 s, so nobody need wait for us
SCHEMES = {"redis": "redis", "rediss": "rediss", "unix": "redis+socket"}

log = get_logger()


def make_celery(settings: Settings, queues: Iterable[str]) -> Celery:
    """The Celery app that rings, and is rung on, `queues`; docs/decisions.md says why it is set so."""
    app = Celery("atelier", broker=celery_url(settings.broker_address), set_as_current=False)
    app.conf.update(
        task_queues=[Queue(name, routing_key=name) for name in queues],
        task_create_missing_queues=False,
        task_default_queue=None,
        task_ignore_result=True,
        result_backend=None,
        task_acks_late=False,
        task_serializer="json",
        accept_content=["json"],
        worker_pool="threads",
        worker_concurrency=1,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_enable_remote_control=True,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_publish_retry_policy={
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.1,
            "interval_max": 0.2,
        },
        broker_transport_options=_transport_options(3.0, 5.0),
    )
    signals.setup_logging.connect(_keep_our_logging)
    return app


def celery_url(url: str) -> str:
    """A server's URL as kombu spells it: `unix:///run/x.sock` → `redis+socket:///run/x.sock`."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES:
        raise BadSetting(
            f"The broker's URL starts with one of {', '.join(f'{name}://' for name in SCHEMES)}."
        )
    return f"{SCHEMES[scheme]}://{rest}"


class Doorbell:
    """Rings for a worker. A lost ring costs at most 2 s, so a broker's failure is never the caller's."""

    def __init__(self, celery: Celery) -> None:
        connection = celery.connection_for_write(
            transport_options=_transport_options(RING_SOCKET_SECONDS, RING_SOCKET_SECONDS)
        )
        self._celery = celery
        self._connections = connection.Pool(RING_CONNECTIONS)
        self._quiet_until = 0.0
        self._lock = threading.Lock()

    def ring(self, queue: str, job_id: str) -> None:
        """Say that `queue` has work; back within a second, whatever the broker does."""
        if time.monotonic() < self._quiet_until:
            DOORBELLS.inc(queue=queue, result="skipped")
            return
        try:
            self._publish(queue, job_id)
        except Exception as error:  # noqa: BLE001 - kombu raises many kinds, and the record is stored already
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            DOORBELLS.inc(queue=queue, result="failed")
            log.warning("A doorbell was not sent", action="doorbell.failed", queue=queue, error=repr(error))
        else:
            DOORBELLS.inc(queue=queue, result="sent")

    def know(self, queues: Iterable[str]) -> None:
        """Be able to ring on these queues, too."""
        for name in set(queues) - set(self._celery.amqp.queues):
            self._celery.amqp.queues.add(Queue(name, routing_key=name))

    def close(self) -> None:
        """Close the connections."""
        self._connections.force_close_all()

    def _publish(self, queue: str, job_id: str) -> None:
        with self._connections.acquire(block=True, timeout=RING_WAIT_SECONDS) as connection:
            self._celery.send_task(DOORBELL, args=[queue, job_id], queue=queue, connection=connection)


def _transport_options(connect_seconds: float, read_seconds: float) -> dict[str, Any]:
    """Without socket timeouts, publishing to a hung broker would never return."""
    return {
        "visibility_timeout": 1800,
        "socket_connect_timeout": connect_seconds,
        "socket_timeout": read_seconds,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "global_keyprefix": KEY_PREFIX,
        "client_name": "atelier-broker",
    }


def _keep_our_logging(**_: Any) -> None:
    """Being connected is enough: Celery then leaves the logging to `infra.logs`."""
