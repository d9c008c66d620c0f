"""For operators, whose key has the admin scope: pause, resume, raise, and the jobs of all owners."""

from dataclasses import asdict
from typing import Any, TypeVar

from flask import Response, g
from pydantic import BaseModel

from api.answers import json_answer
from api.bodies import Json
from api.filters import bad_cursor, filters_of, limit_of
from api.operator_bodies import OwnerOrder, PauseOrder, ResumeOrder, admin_job_body, owner_body, pause_body
from api.parsing import parsed
from api.problems import Problem
from api.reading import json_body, no_inputs, query
from api.retrying import retry_if_possible
from api.services import services
from infra.jobs.bulk import Swept
from infra.jobs.operator import What
from infra.jobs.owners import OwnerSettings
from infra.keys import OWNER
from infra.logs import get_logger

FILTERS = ("owner", "queue", "status", "kind", "model")

T = TypeVar("T", bound=BaseModel)

log = get_logger()


def pause() -> Response:
    """Claim no more from a queue, of a model or by a worker; what runs goes on."""
    order = _order(PauseOrder)
    what, name = order.target()
    if not services().operator.pauses().of(what, name) and name not in _known(what):
        raise Problem("nothing_to_pause", f"There is no {what} {name!r}.")
    done = services().operator.pause(what, name, by=g.owner, reason=order.reason)
    _log("Paused", action="operator.paused", what=what.value, name=name, reason=order.reason)
    return json_answer(pause_body(done))


def resume() -> Response:
    """Take a pause back. One that is not there is no error."""
    what, name = _order(ResumeOrder).target()
    resumed = services().operator.resume(what, name)
    if resumed:
        _log("Resumed", action="operator.resumed", what=what.value, name=name)
    return json_answer({"what": what.value, "name": name, "resumed": resumed})


def pauses() -> Response:
    """All that is paused."""
    query()
    found = [pause_body(each) for each in services().operator.pauses().all]
    return json_answer({"object": "list", "data": found})


def front(job_id: str) -> Response:
    """Raise a queued job to the front of its queue; another stays as it is."""
    no_inputs()
    job = services().operator.front(job_id)
    _log("Raised a job to the front", action="operator.raised", job_id=job.id, status=job.status.value)
    return json_answer(admin_job_body(job))


def jobs() -> Response:
    """Jobs of all owners, newest first, without what they are about."""
    given = query(*FILTERS, "cursor", "limit")
    filters, limit = filters_of(given), limit_of(given)
    try:
        page = services().bulk.page(_owners(given), filters, given.get("cursor"), limit)
    except ValueError:
        raise bad_cursor() from None
    return json_answer({"data": [admin_job_body(job) for job in page.jobs], "next_cursor": page.next_cursor})


def cancel_many() -> Response:
    """Cancel jobs of all owners that match and are not final."""
    no_inputs(*FILTERS, "cursor")
    given = query(*FILTERS, "cursor")
    filters = filters_of(given)
    try:
        swept = services().bulk.cancel(_owners(given), filters, given.get("cursor"))
    except ValueError:
        raise bad_cursor() from None
    return _swept(swept, given, action="operator.cancelled")


def retry_many() -> Response:
    """Retry failed and cancelled jobs of all owners that match and were not retried yet."""
    no_inputs(*FILTERS, "cursor")
    given = query(*FILTERS, "cursor")
    filters = filters_of(given)
    services().home.check()
    try:
        swept = services().bulk.retry(_owners(given), filters, given.get("cursor"), retry_if_possible)
    except ValueError:
        raise bad_cursor() from None
    return _swept(swept, given, action="operator.retried")


def owners() -> Response:
    """Owners that have settings of their own."""
    query()
    found = [_owner_body(name, own) for name, own in services().owners.all().items()]
    return json_answer({"object": "list", "data": found})


def owner(owner: str) -> Response:
    """One owner's settings and usage."""
    query()
    return json_answer(_owner_body(owner, services().owners.get(_name_of(owner))))


def change_owner(owner: str) -> Response:
    """Change some of an owner's settings, which may have no key and no jobs yet."""
    order = _order(OwnerOrder)
    own = services().owners.change(_name_of(owner), order)
    _log(
        "Changed an owner", action="operator.owner", owner=owner, changes=order.model_dump(exclude_unset=True)
    )
    return json_answer(_owner_body(owner, own))


def _name_of(owner: str) -> str:
    if not OWNER.fullmatch(owner):
        raise Problem("not_found", "No owner can have this name.")
    return owner


def _owner_body(name: str, own: OwnerSettings) -> Json:
    return owner_body(name, own, services().owners.common, services().queue.owner_usage(name))


def _order(model: type[T]) -> T:
    body, _ = json_body(services().settings.max_body_bytes)
    return parsed(model, body)


def _known(what: What) -> set[str]:
    """Names that can be paused: a typing error must not look like a pause."""
    match what:
        case What.QUEUE:
            waiting = {stats.name for stats in services().queue.queue_stats()}
            return waiting | set(services().catalog.queues())
        case What.MODEL:
            served = {model for worker in services().queue.workers() for model in worker.card.models}
            return served | set(services().catalog.models)
        case What.WORKER:
            return {worker.card.id for worker in services().queue.workers()}


def _owners(given: dict[str, str]) -> tuple[str, ...]:
    return (given["owner"],) if "owner" in given else services().operator.owners()


def _swept(swept: Swept, given: dict[str, str], *, action: str) -> Response:
    chosen = {name: given[name] for name in FILTERS if name in given}
    _log("Changed many jobs", action=action, count=swept.count, filters=chosen)
    return json_answer(asdict(swept))


def _log(message: str, *, action: str, **facts: Any) -> None:
    log.info(message, action=action, by=g.owner, key_id=g.key_id, **facts)
