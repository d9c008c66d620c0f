"""Job records for tests that need no state server."""

from dataclasses import fields

from infra.jobs.record import SCHEMA, Attempt, Job, Priority, Status, new_job_id


def a_job(**changes: object) -> Job:
    """A running job of the fake model; what is not given or needed is None."""
    attempt = Attempt("a" * 32, 1, "worker_1", "cpu", 1000)
    values: dict[str, object] = {
        **{field.name: None for field in fields(Job)},
        "id": new_job_id(),
        "schema": SCHEMA,
        "owner": "local",
        "kind": "text-to-image",
        "model": "test/fake",
        "queue": "image",
        "status": Status.RUNNING,
        "priority": Priority.NORMAL,
        "inputs": {"prompt": "a star", "seed": 7, "width": 64, "height": 64},
        "attempts": (attempt,),
        "attempt_id": attempt.id,
        "artifacts": (),
        "created_at": 500,
        "started_at": 1000,
    }
    return Job(**{**values, **changes})  # type: ignore[arg-type]
