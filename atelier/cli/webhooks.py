"""`webhooks`, `deliveries`, `redeliver`: who is told when a job is over, and whether they heard it."""

from typing import TYPE_CHECKING, Annotated

import typer

from atelier.cli.common import JsonFlag, client_of, finish, output_of
from atelier.cli.exits import Exit
from atelier.cli.jobs import JobId
from atelier.cli.output import Output
from atelier.cli.table import ago, print_table, until

if TYPE_CHECKING:  # it loads the HTTP library, which --help can do without
    from atelier.webhooks import Delivery, DeliveryAttempt, Endpoint

app = typer.Typer(no_args_is_help=True, help="Webhook endpoints: who is told when a job is over.")

EndpointId = Annotated[str, typer.Argument(metavar="ENDPOINT", help="The endpoint's id, `we_…`.")]


@app.command()
def create(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="Where messages are posted to.")],
    description: Annotated[str, typer.Option("--description", help="A note for people.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Make an endpoint, and print its secret, this once."""
    with client_of(context) as client:
        _tell_secret(client.webhooks.create(url, description), output_of(context))


@app.command("list")
def list_endpoints(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Your endpoints; never their secrets."""
    output = output_of(context)
    with client_of(context) as client:
        found = client.webhooks.list()
    output.object({"data": [each.raw for each in found]})
    if not output.as_json:
        rows = [[each.id, each.url, _condition(each), ago(each.created_at)] for each in found]
        print_table(["ID", "URL", "STATE", "CREATED"], rows)


@app.command()
def delete(context: typer.Context, endpoint: EndpointId, as_json: JsonFlag = False) -> None:
    """Remove an endpoint; pending messages to it fail."""
    output = output_of(context)
    with client_of(context) as client:
        client.webhooks.delete(endpoint)
    output.object({"id": endpoint, "deleted": True})
    output.result(f"{endpoint} deleted")


@app.command()
def rotate(context: typer.Context, endpoint: EndpointId, as_json: JsonFlag = False) -> None:
    """Give an endpoint a new secret; the old one signs too for 24 hours."""
    with client_of(context) as client:
        _tell_secret(client.webhooks.rotate(endpoint), output_of(context))


@app.command()
def enable(context: typer.Context, endpoint: EndpointId, as_json: JsonFlag = False) -> None:
    """Send to an endpoint again."""
    with client_of(context) as client:
        _tell_condition(client.webhooks.enable(endpoint), output_of(context))


@app.command()
def disable(context: typer.Context, endpoint: EndpointId, as_json: JsonFlag = False) -> None:
    """Send nothing more to an endpoint; pending messages to it fail."""
    with client_of(context) as client:
        _tell_condition(client.webhooks.disable(endpoint), output_of(context))


@app.command("test")
def try_out(context: typer.Context, endpoint: EndpointId, as_json: JsonFlag = False) -> None:
    """Send a test message now, and say what came of it."""
    output = output_of(context)
    with client_of(context) as client:
        attempt = client.webhooks.test(endpoint)
    output.object({"delivered": attempt.delivered, "status": attempt.status, "error": attempt.error})
    output.result(_outcome(attempt))
    finish(Exit.OK if attempt.delivered else Exit.FAILED)


@app.command()
def secret(
    context: typer.Context,
    rotate: Annotated[bool, typer.Option("--rotate", help="Make it, or a new one, and print it.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Your own secret, which signs messages to jobs' URLs: whether there is one."""
    output = output_of(context)
    with client_of(context) as client:
        if rotate:
            made = client.webhooks.rotate_secret()
            output.object({"exists": True, "secret": made})
            output.result(made)
            output.note("Keep it now: it is not shown again.")
        else:
            exists = client.webhooks.has_secret()
            output.object({"exists": exists})
            output.result(
                "There is one." if exists else "There is none yet: `atelier webhooks secret --rotate`"
            )


def deliveries(context: typer.Context, job_id: JobId, as_json: JsonFlag = False) -> None:
    """What became of the message to a job's webhook."""
    output = output_of(context)
    with client_of(context) as client:
        found = client.deliveries(job_id)
    output.object({"data": [each.raw for each in found]})
    for each in found:
        for line in _description(each):
            output.result(line)
    if not found:
        output.note("There is no message: the job has no webhook, or has not ended.")


def redeliver(
    context: typer.Context,
    job_id: JobId,
    message_id: Annotated[
        str, typer.Argument(metavar="MESSAGE", help="The message's id, as `deliveries` shows it.")
    ],
    as_json: JsonFlag = False,
) -> None:
    """Send a message to a job's webhook again, now."""
    output = output_of(context)
    with client_of(context) as client:
        delivery = client.redeliver(job_id, message_id)
    output.object(delivery.raw)
    output.result(f"{delivery.id} {delivery.state}")


def _tell_secret(endpoint: "Endpoint", output: Output) -> None:
    output.object(endpoint.raw)
    output.result(f"{endpoint.id} {endpoint.secret}")
    output.note("Keep the secret now: it is not shown again.")


def _tell_condition(endpoint: "Endpoint", output: Output) -> None:
    output.object(endpoint.raw)
    output.result(f"{endpoint.id} {_condition(endpoint)}")


def _condition(endpoint: "Endpoint") -> str:
    if endpoint.disabled_at:
        return f"disabled ({endpoint.disabled_because})"
    return f"failing, the first time {ago(endpoint.failing_since)}" if endpoint.failing_since else "enabled"


def _description(delivery: "Delivery") -> list[str]:
    next_one = f", next attempt {until(delivery.next_attempt_at)}" if delivery.next_attempt_at else ""
    head = f"{delivery.id} {delivery.type} to {delivery.webhook}: {delivery.state}{next_one}"
    return [head, *(f"  {ago(each.at)}: {_outcome(each)}" for each in delivery.attempts)]


def _outcome(attempt: "DeliveryAttempt") -> str:
    answer = attempt.error if attempt.status is None else f"answered {attempt.status}"
    return f"{answer} ({attempt.milliseconds} ms)"
