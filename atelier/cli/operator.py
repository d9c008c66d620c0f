"""`queues`, `workers`, `pause`, `resume`, `pauses`, `front`, `owner`: looking after a deployment."""

from typing import Annotated, Any

import typer

from atelier.cli.common import JsonFlag, client_of, output_of
from atelier.cli.jobs import JobId
from atelier.cli.table import ago, bytes_text, print_table
from atelier.operator import Owner
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
        counts = ["READY", "DELAYED", "WAITING", "RUNNING"]
        head = ["QUEUE", "STATE", *counts, "OLDEST", "PER MIN", "TAKES", "WORKERS", "IDLE"]
        print_table(head, [_queue_row(each) for each in found])


def workers(context: typer.Context, as_json: JsonFlag = False) -> None:
    """The workers that are alive, and what each does."""
    output = output_of(context)
    with client_of(context) as client:
        found = client.workers()
    output.object({"data": found})
    if not output.as_json:
        rows = [_worker_row(each) for each in found]
        print_table(["WORKER", "DEVICE", "STATE", "QUEUES", "LOADED", "MEMORY", "SINCE"], rows)


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


def owner(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="Whose; without a name, who has some of their own.")
    ] = None,
    *,
    weight: Annotated[str | None, typer.Option("--weight", help="Share of the device time.")] = None,
    max_queued: Annotated[str | None, typer.Option("--max-queued", help="Jobs that may wait.")] = None,
    max_running: Annotated[
        str | None, typer.Option("--max-running", help="Jobs that may run at once; 0: no limit.")
    ] = None,
    rate: Annotated[
        str | None, typer.Option("--rate", help="Jobs that may be submitted a second; 0: no limit.")
    ] = None,
    burst: Annotated[
        str | None, typer.Option("--burst", help="Jobs that may be submitted at once before that counts.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show or change an owner's weight and limits. `default`: as for everybody again."""
    texts = {
        "weight": weight,
        "max_queued": max_queued,
        "max_running": max_running,
        "rate": rate,
        "burst": burst,
    }
    changes = {key: _number(key, text) for key, text in texts.items() if text is not None}
    if name is None and changes:
        raise typer.BadParameter("say whose settings these are")
    output = output_of(context)
    with client_of(context) as client:
        if name is None:
            found = client.operator.owners()
        elif changes:
            found = [client.operator.change_owner(name, **changes)]
        else:
            found = [client.operator.owner(name)]
    output.object(found[0].raw if name else {"data": [each.raw for each in found]})
    if not output.as_json:
        head = ["OWNER", "WEIGHT", "QUEUED", "OF", "RUNNING", "OF", "RATE", "BURST", "OWN"]
        print_table(head, [_owner_row(each) for each in found])


def _number(name: str, text: str) -> float | None:
    if text == "default":
        return None
    try:
        return float(text) if name in ("weight", "rate") else int(text)
    except ValueError:
        raise typer.BadParameter(f"--{name.replace('_', '-')} takes a number, or `default`") from None


def _owner_row(owner: Owner) -> list[object]:
    running = owner.max_running or "any"
    rate = f"{owner.rate:g}/s" if owner.rate else "any"
    own = ",".join(owner.own)
    return [
        *(owner.name, f"{owner.weight:g}", owner.queued, owner.max_queued, owner.running, running, rate),
        *(owner.burst, own),
    ]


def _name_one(*names: str | None) -> str:
    named = [name for name in names if name is not None]
    if len(named) != 1:
        raise typer.BadParameter("give exactly one of --queue, --model and --worker")
    return named[0]


def _queue_row(queue: dict[str, Any]) -> list[object]:
    oldest = f"{queue['oldest_wait_seconds']:.0f} s" if queue["ready"] else ""
    counts = [queue[name] for name in ("ready", "delayed", "waiting", "running")]
    state = "paused" if queue["paused"] else "open"
    each = queue.get("seconds_per_job")
    rates = [f"{60 * queue['jobs_per_second']:.3g}", "" if each is None else f"{each:.3g} s"]
    return [queue["name"], state, *counts, oldest, *rates, queue["workers"], queue["idle_workers"]]


def _worker_row(worker: dict[str, Any]) -> list[object]:
    lists = [",".join(worker[name]) for name in ("queues", "warm")]
    since = ago(time_of(worker["since"]))
    return [worker["id"], worker["device"], _state(worker), *lists, _memory(worker), since]


def _memory(worker: dict[str, Any]) -> str:
    """What its loaded models hold of what they may."""
    memory = worker.get("memory")
    return f"{bytes_text(memory['held_bytes'])} of {bytes_text(memory['budget_bytes'])}" if memory else ""


def _state(worker: dict[str, Any]) -> str:
    doing = "runs a job" if worker["running"] else "idle" if worker["idle"] else "busy"
    if worker["paused"]:
        doing = f"paused, {doing}" if worker["running"] else "paused"
    return f"{doing}: {worker['trouble']}" if worker.get("trouble") else doing
