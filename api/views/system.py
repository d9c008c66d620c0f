"""For operators and machines: is it alive, is it ready, its metrics, and its own description."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import gevent
from flask import Response

from api.answers import json_answer
from api.auth import check_scraper
from api.docs_page import CONTENT_SECURITY_POLICY, render_page
from api.openapi import document
from api.reading import query
from api.services import Services, services
from infra import metrics
from infra.connections import translate
from infra.errors import BrokerUnavailable, InfraError, StateUnavailable
from infra.jobs.operator import What

READY_SECONDS = 2.8  # the answer is due within three seconds, whatever hangs


def livez() -> Response:
    """The process serves requests."""
    return json_answer({"status": "alive"})


def readyz() -> Response:
    """Whether jobs can be accepted and artifacts read. The broker is told of, but jobs run without it."""
    behind = services()  # a greenlet of a check has no request to find them by
    found = _check_all(
        {
            "state": partial(_check_state, behind),
            "storage": behind.storage.check,
            "broker": partial(_check_broker, behind),
        }
    )
    ready = found["state"] == "ok" and found["storage"] == "ok"
    headers = {} if ready else {"Retry-After": "2"}
    status = "ready" if ready else "not_ready"
    body = {"status": status, "checks": found, "durability": behind.durability}
    return json_answer(body, 200 if ready else 503, headers)


def show_metrics() -> Response:
    """Prometheus text."""
    check_scraper()
    _set_levels()
    body, content_type = metrics.render()
    return Response(body, content_type=content_type)


def openapi() -> Response:
    """This API as an OpenAPI 3.1 document."""
    query()
    return json_answer(document())


def docs() -> Response:
    """This API as a page for people."""
    query()
    response = Response(render_page(document()), content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


def _set_levels() -> None:
    """Gauges that are known only when somebody looks. Without the state server the last ones stand."""
    metrics.API_WATCHERS.set(services().hub.count)
    with suppress(StateUnavailable):
        backlog = services().outbox.backlog()
        metrics.WEBHOOK_PENDING.set(backlog.pending)
        metrics.WEBHOOK_OLDEST_SECONDS.set(backlog.oldest_due_seconds)
        workers = services().queue.workers()
        idle = sum(worker.parked for worker in workers)
        metrics.WORKERS.set(idle, state="idle")
        metrics.WORKERS.set(len(workers) - idle, state="busy")
        metrics.WORKERS_IN_TROUBLE.set(sum(bool(worker.trouble) for worker in workers))
        pauses = services().operator.pauses().all
        for what in What:
            metrics.PAUSED.set(sum(pause.what is what for pause in pauses), what=what.value)
        for stats in services().queue.queue_stats():
            for state in ("ready", "delayed", "running"):
                metrics.QUEUE_JOBS.set(getattr(stats, state), queue=stats.name, state=state)
            metrics.QUEUE_WAIT_SECONDS.set(stats.oldest_wait_seconds, queue=stats.name)
            metrics.QUEUE_RATE.set(stats.jobs_per_second, queue=stats.name)


def _check_state(behind: Services) -> None:
    with translate():
        behind.state.ping()


def _check_broker(behind: Services) -> None:
    if not behind.live.answers():
        raise BrokerUnavailable


def _check_all(checks: dict[str, Callable[[], object]]) -> dict[str, str]:
    """Each check's result, `ok` or what is wrong; all of them at once."""
    running = {name: gevent.spawn(_outcome, check) for name, check in checks.items()}
    gevent.joinall(running.values(), timeout=READY_SECONDS)
    return {name: greenlet.value or "does not answer" for name, greenlet in running.items()}


def _outcome(check: Callable[[], object]) -> str:
    try:
        check()
    except InfraError as error:
        return type(error).__name__
    return "ok"
