"""The baseline: a Celery task that does nothing, with its result in the same broker server."""

import os

from celery import Celery

from infra.broker import celery_url

app = Celery(
    "plain", broker=celery_url(os.environ["BENCH_BROKER"]), backend=celery_url(os.environ["BENCH_BROKER"])
)
app.conf.update(broker_connection_retry_on_startup=True, accept_content=["json"], task_serializer="json")


@app.task
def nothing() -> None:
    """What a plain Celery user's smallest job costs."""
