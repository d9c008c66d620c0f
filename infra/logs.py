"""JSON lines on standard error: one record a line, each with an `action` code and the job that it is about.

    log = get_logger()
    with about(job_id=job.id, kind=job.kind):
        log.info("The attempt has ended", action="attempt.ended", outcome="succeeded")

Records of the standard library's loggers (Celery, gunicorn) take the same road; their `action` is the
logger's name. Prompts and other inputs are never logged: PRIVATE names are cut out wherever they turn up.
"""

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, NoReturn, cast

import structlog

from infra.settings import Settings, unknown_variables

PRIVATE = frozenset(
    {"prompt", "negative_prompt", "inputs", "messages", "prefix", "suffix", "instruction", "text", "delta"}
    | {"api_key", "authorization", "secret", "password"}
)
HIDDEN = "(not logged)"
QUIET = (
    *("kombu", "amqp", "urllib3", "PIL", "asyncio", "celery.utils.functional"),
    *("celery.worker.strategy", "celery.app.trace"),  # two lines for each doorbell
)
"""Loggers whose chatter below a warning nobody wants, even at `debug`."""

_Record = MutableMapping[str, Any]
_PLAIN = (str, int, float, type(None))
_to_json = json.JSONEncoder(default=str, ensure_ascii=False).encode


def configure(settings: Settings, process: str) -> None:
    """Send every record of this process (`api`, `worker`, `engine`, `up`, `admin`) to standard error."""
    shared = _processors(process)
    handler = logging.StreamHandler(sys.stderr)
    last: structlog.types.Processor = structlog.stdlib.ProcessorFormatter.wrap_for_formatter
    if settings.log_format == "json":
        last = _Line(handler)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, last],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_name_as_action, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(settings)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    logging.captureWarnings(True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in unknown_variables():
        get_logger().warning("There is no such setting", action="settings.unknown", variable=name)


def get_logger(name: str = "atelier") -> structlog.stdlib.BoundLogger:
    """A logger; every call gives a sentence and `action="noun.verb"`."""
    return structlog.stdlib.get_logger(name)


@contextmanager
def about(**context: Any) -> Iterator[None]:
    """Add job_id, attempt_id, kind, model, owner … to the block's records, in this thread or greenlet."""
    with structlog.contextvars.bound_contextvars(**context):
        yield


def _processors(process: str) -> list[structlog.types.Processor]:
    def name_process(_: Any, __: str, record: _Record) -> _Record:
        record["process"], record["pid"] = process, os.getpid()
        return record

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        name_process,
        structlog.processors.format_exc_info,
        _hide_private,
    ]


class _Line:
    """Writes our own records at once: the standard library's way to the same line takes three times as long,
    and each request of the API writes two."""

    def __init__(self, handler: "logging.StreamHandler[Any]") -> None:
        self._handler = handler

    def __call__(self, _: Any, __: str, record: _Record) -> NoReturn:
        record["message"] = record.pop("event")
        line = f"{_to_json(_order(None, '', record))}\n"
        with self._handler.lock:  # type: ignore[union-attr]  # every handler has one
            self._handler.stream.write(line)
            self._handler.flush()
        raise structlog.DropEvent


def _renderers(settings: Settings) -> list[structlog.types.Processor]:
    if settings.log_format == "console":
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [
        structlog.processors.EventRenamer("message"),
        _order,
        lambda _, __, record: _to_json(record),
    ]


def _name_as_action(_: Any, __: str, record: _Record) -> _Record:
    record.setdefault("action", record["_record"].name)
    return record


def _hide_private(_: Any, __: str, record: _Record) -> _Record:
    return cast(_Record, _hidden(record))


def _hidden(value: Any) -> Any:
    """`value` with what stands under a private name cut out, at any depth."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        return {key: HIDDEN if key in PRIVATE else _hidden(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(inner) for inner in value]
    return value


def _order(_: Any, __: str, record: _Record) -> _Record:
    """The fields that every record has come first."""
    first = {
        key: record.pop(key)
        for key in ("time", "level", "process", "pid", "action", "message")
        if key in record
    }
    return {**first, **record}
