"""What this deployment offers and who is working: models, kinds, queues, workers."""

from flask import Response

from api.answers import json_answer
from api.bodies import Json
from api.catalog_bodies import kind_body, model_body, queue_body, worker_body
from api.reading import query
from api.services import services
from infra.jobs.operator import What
from pipelines.errors import UnknownModel
from pipelines.kinds import KINDS
from pipelines.models import Model


def models() -> Response:
    """The models that jobs may name, with what each takes."""
    query()
    workers, pauses = services().queue.workers(), services().operator.pauses()
    return _list(
        [
            model_body(model, workers, paused=pauses.of(What.MODEL, model.name) is not None)
            for model in services().catalog.models.values()
        ]
    )


def kinds() -> Response:
    """The kinds of job, with the JSON Schema of their inputs."""
    query()
    catalog = services().catalog
    return _list([kind_body(kind, catalog.for_kind(kind), _default(kind)) for kind in KINDS])


def queues() -> Response:
    """Depth, waiting time and totals of each queue."""
    query()
    return _list([queue_body(stats) for stats in services().queue.queue_stats()])


def workers() -> Response:
    """The live workers: what each serves, has loaded and does."""
    query()
    return _list([worker_body(worker) for worker in services().queue.workers()])


def _default(kind: str) -> Model | None:
    try:
        return services().catalog.default_for(kind)
    except UnknownModel:
        return None


def _list(items: list[Json]) -> Response:
    return json_answer({"object": "list", "data": items})
