"""The rival with a task a picture: plain Celery, whose broker (BENCH_BROKER) syncs every write."""

import os
from functools import cache
from pathlib import Path

from celery import Celery

from infra.broker import celery_url
from tests.bench.pictures import Maker, write

celery = Celery("pictures", broker=celery_url(os.environ["BENCH_BROKER"]))
celery.conf.update(
    broker_connection_retry_on_startup=True, task_ignore_result=True, worker_prefetch_multiplier=1
)

maker = cache(Maker)


@celery.task(name="pictures.make")
def make(number: int, folder: str) -> None:
    """One file."""
    (picture,) = maker().make([number])
    write(picture, Path(folder) / f"{number}.png")
