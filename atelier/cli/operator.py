"""`queues`, `workers`, `pause`, `resume`, `pauses`, `front`: looking after a deployment."""

from typing import Annotated, Any

import typer

from atelier.cli.common import JsonFlag, client_of, output_of
from atelier.cli.jobs import JobId
from atelier.cli.table import ago, print_table
from atelier.records import time_of

QueueFlag = Annotated[str | None, typer.Option("--queue", help="Name of a queue.")]
ModelFlag = Annotated[str | None, typer.Option("--model", help="Name of a model.")]
WorkerFlag = Annotated[
    str | None, typer.Option("--worker", help="Id of a worker, as `atelier workers` shows it.")
]


def queues(context: typer.Context, as_json: JsonFlag = False) -> None:
    """How many jobs wait and run in each queue."""
    output = output_of(context)
    with client_of(context) as client:
        found = client.queues()
    output.object({"data": found})
    if not output.as_json:
        head = ["QUEUE", "STATE", "READY", "DELAYED", "WAITING", "RUNNING", "OLDEST", "WORKERS", "IDLE"]
        print_table(head, [_queue_row(each) for each in found])


def workers(context: typer.Context, as_json: JsonFlag = False) -> None:
    """The workers that are alive, and what each does."""
    output = output_of(context)
    with client_of(context) as client:
        found = client.workers()
    output.object({"data": found})
    if not output.as_json:
        rows = [_worker_row(each) for each in found]
        print_table(["WORKER", "DEVICE", "STATE", "QUEUES", "LOADED", "SINCE"], rows)


def pause(
    context: typer.Context,
    *,
    queue: QueueFlag = None,
    model: ModelFlag = None,
    worker: WorkerFlag = None,
    reason: Annotated[str | None, typer.Option("--reason", help="For other operators.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Start nothing more from a queue, of a model or on a worker, until `resume`."""
    _name_one(queue, model, worker)
    output = output_of(context)
    with client_of(context) as client:
        done = client.operator.pause(queue=queue, model=model, worker=worker, reason=reason)
    output.object(done.raw)
    output.result(f"{done.what} {done.name} is paused; what runs goes on")


def resume(
    context: typer.Context,
    *,
    queue: QueueFlag = None,
    model: ModelFlag = None,
    worker: WorkerFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Take a pause back."""
    name = _name_one(queue, model, worker)
    output = output_of(context)
    with client_of(context) as client:
        resumed = client.operator.resume(queue=queue, model=model, worker=worker)
    output.object({"name": name, "resumed": resumed})
    output.result(f"{name} goes on" if resumed else f"{name} was not paused")


def pauses(context: typer.Context, as_json: JsonFlag = False) -> None:
    """What is paused, by whom and why."""
    output = output_of(context)
    with client_of(context) as client:
        found = client.operator.pauses()
    output.object({"data": [each.raw for each in found]})
    if not output.as_json:
        rows = [[each.what, each.name, ago(each.since), each.by, each.reason] for each in found]
        print_table(["WHAT", "NAME", "SINCE", "BY", "REASON"], rows)


def front(context: typer.Context, job_id: JobId, as_json: JsonFlag = False) -> None:
    """Let a queued job be the next one of its queue, whoever owns it."""
    output = output_of(context)
    with client_of(context) as client:
        job = client.operator.front(job_id)
    output.object(job.raw)
    queued = job.status == "queued"
    output.result(f"{job.id} is at the front of {job.queue}" if queued else f"{job.id} is {job.status}")


def _name_one(*names: str | None) -> str:
    named = [name for name in names if name is not None]
    if len(named) != 1:
        raise typer.BadParameter("give exactly one of --queue, --model and --worker")
    return named[0]


def _queue_row(queue: dict[str, Any]) -> list[object]:
    oldest = f"{queue['oldest_wait_seconds']:.0f} s" if queue["ready"] else ""
    counts = [queue[name] for name in ("ready", "delayed", "waiting", "running")]
    state = "paused" if queue["paused"] else "open"
    return [queue["name"], state, *counts, oldest, queue["workers"], queue["idle_workers"]]


def _worker_row(worker: dict[str, Any]) -> list[object]:
    lists = [",".join(worker[name]) for name in ("queues", "warm")]
    return [worker["id"], worker["device"], _state(worker), *lists, ago(time_of(worker["since"]))]


def _state(worker: dict[str, Any]) -> str:
    doing = "runs a job" if worker["running"] else "idle" if worker["idle"] else "busy"
    if worker["paused"]:
        doing = f"paused, {doing}" if worker["running"] else "paused"
    return f"{doing}: {worker['trouble']}" if worker.get("trouble") else doing
