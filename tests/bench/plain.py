"""The rival that people write in an afternoon: a Flask view that sends a Celery task and answers 202.

Served by gunicorn's gthread worker with eight threads; Celery with its connection pool and no result backend.
BENCH_BROKER is a Valkey that syncs every write, as ours does: then its 202 promises as much as ours.
"""

import os
from typing import Any

from celery import Celery
from flask import Flask, request

from infra.broker import celery_url

celery = Celery("plain", broker=celery_url(os.environ["BENCH_BROKER"]))
celery.conf.update(
    broker_connection_retry_on_startup=True,
    broker_pool_limit=10,
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    worker_prefetch_multiplier=1,
)


@celery.task(name="plain.nothing")
def nothing(inputs: dict[str, Any]) -> None:
    """The smallest job."""


app = Flask("plain")


@app.post("/jobs")
def submit() -> tuple[dict[str, str], int]:
    """Queue one."""
    body = request.get_json()
    sent = nothing.delay(body["inputs"])
    return {"id": sent.id, "status": "queued"}, 202


@app.get("/empty")
def empty() -> str:
    """What no Flask application on this server can be faster than."""
    return ""
