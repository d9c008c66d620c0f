"""Every metric, declared once: name, help, labels. docs/metrics.md is printed by `python -m infra.metrics`.

Call `configure` before the first use. Labels never carry prompts, job ids or owners: their values are few and
known.
"""

import os
import sys
from pathlib import Path

from infra.metric_types import Counter, Gauge, Histogram, Metric, registry
from infra.settings import Settings

REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
JOB_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)

# The API
API_REQUESTS = Counter(
    "api_requests_total", "Answered requests, by the route's pattern.", ("method", "route", "status")
)
API_SECONDS = Histogram(
    "api_request_seconds",
    "Time to answer a request; of an event stream, to its first byte.",
    ("method", "route"),
    REQUEST_SECONDS,
)
API_WATCHERS = Gauge("api_watchers", "Open event streams and long polls.")
UPLOADS = Counter("uploads_total", "Uploads, by what became of them: stored or refused.", ("result",))

# Jobs, as the state server tells them
JOBS_SUBMITTED = Counter("jobs_submitted_total", "Accepted jobs.", ("kind", "model"))
JOBS_FINISHED = Counter(
    "jobs_finished_total",
    "Attempts that ended their job, by its final status, told by the worker that ran it.",
    ("kind", "model", "status"),
)
LIMIT_REFUSALS = Counter(
    "limit_refusals_total",
    "Requests that were refused for a limit, by reason: owner_limit, rate_limited, too_many_at_once or"
    " system_full.",
    ("reason",),
)
JOB_WAIT_SECONDS = Histogram(
    "job_wait_seconds", "Time from a job's creation to its first attempt.", ("queue", "kind"), JOB_SECONDS
)
JOB_RUN_SECONDS = Histogram(
    "job_run_seconds",
    "Time of an attempt in each phase: fetch, load, run, store, commit.",
    ("model", "phase"),
    JOB_SECONDS,
)
ATTEMPTS = Counter("attempts_total", "Ended attempts, by outcome.", ("model", "outcome"))
QUEUE_JOBS = Gauge(
    "queue_jobs", "Jobs in a queue, by state: ready, delayed, running.", ("queue", "state"), "livemostrecent"
)
QUEUE_WAIT_SECONDS = Gauge(
    "queue_oldest_wait_seconds", "Age of the oldest ready job of a queue.", ("queue",), "livemostrecent"
)
QUEUE_RATE = Gauge(
    "queue_jobs_per_second", "Attempts that ended, over the last minutes.", ("queue",), "livemostrecent"
)
WORKERS = Gauge("workers", "Live workers, by state: busy or idle.", ("state",), "livemostrecent")
WORKERS_IN_TROUBLE = Gauge(
    "workers_in_trouble",
    "Live workers that take no jobs for now: the storage refuses, or their engine does not start.",
    across="livemostrecent",
)
PAUSED = Gauge(
    "paused", "What operators have paused, by what: queue, model or worker.", ("what",), "livemostrecent"
)

# Safety
SAFETY_FOUND = Counter(
    "safety_found_total",
    "What the safety filters found, by where (prompt or output) and what followed: label, blur or block.",
    ("stage", "category", "follows"),
)

# Delivery
CLAIMS = Counter("claims_total", "Claims, by result: job, parked, paused or failed.", ("result",))
DOORBELLS = Counter(
    "doorbells_total",
    "Doorbells, by result: sent, failed, or skipped for a moment after one that failed.",
    ("queue", "result"),
)
LEASES_LOST = Counter("leases_lost_total", "Leases that this worker lost while it was running the job.")
RESCUES = Counter("rescues_total", "What the rescuer found: lost leases, due jobs, deadlines.", ("what",))
ENGINE_RESTARTS = Counter("engine_restarts_total", "Engines started again, by the reason.", ("reason",))
MODELS_WARM = Gauge("models_warm", "Models that engines keep loaded.", ("model",))
MODEL_LOADS = Counter(
    "model_loads_total", "Loads of a model, by result: loaded or failed.", ("model", "result")
)
MODEL_LOAD_SECONDS = Histogram(
    "model_load_seconds", "Time to load a model: what a cold start costs.", ("model",), JOB_SECONDS
)
MODELS_UNLOADED = Counter(
    "models_unloaded_total",
    "Loaded models that engines let go, by why: room (for another), idle, memory (there was too little),"
    " broken or changed (its row). What went with an engine is not counted.",
    ("model", "why"),
)
MODEL_MEMORY_BYTES = Gauge(
    "model_memory_bytes",
    "Memory of the workers' devices, by what: held by loaded weights (what models share counts once), or the"
    " budget.",
    ("what",),
)
MODELS_SET_ASIDE = Gauge(
    "models_set_aside", "Models that a worker does not offer now, because they did not load.", ("model",)
)

# Webhooks
WEBHOOK_DELIVERIES = Counter(
    "webhook_deliveries_total",
    "Attempts to deliver a message, by result: delivered, retried (another follows), failed (the last one).",
    ("result",),
)
WEBHOOK_PENDING = Gauge(
    "webhook_pending", "Messages that are neither delivered nor given up.", across="livemostrecent"
)
WEBHOOK_OLDEST_SECONDS = Gauge(
    "webhook_oldest_seconds", "How long the oldest due message has waited.", across="livemostrecent"
)

# Services
STATE_FAILURES = Counter("state_failures_total", "Calls of the state server that failed or timed out.")
STORAGE_SECONDS = Histogram(
    "storage_seconds", "Time of a storage operation.", ("backend", "operation"), REQUEST_SECONDS
)
STORAGE_FAILURES = Counter(
    "storage_failures_total", "Storage operations that failed, by error.", ("backend", "operation", "error")
)
HOME_BYTES = Gauge(
    "home_bytes", "Bytes of artifacts and records in the home folder.", across="livemostrecent"
)
COLLECTED = Counter(
    "collected_total",
    "What the collector removed: jobs, archived jobs, uploads, and objects that were attempts, orphans or"
    " unfinished.",
    ("what",),
)
RECORDS_ARCHIVED = Counter(
    "records_archived_total", "Records that moved from the state server to the storage."
)

METRICS: tuple[Metric, ...] = tuple(found for found in list(vars().values()) if isinstance(found, Metric))


def configure(settings: Settings) -> None:
    """Share metrics through `metrics_dir`, if set. prometheus-client reads this only when it is imported."""
    if not settings.metrics_dir:
        return
    Path(settings.metrics_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
    if "prometheus_client" in sys.modules and not _is_shared():
        raise RuntimeError("infra.metrics.configure must come before the first use of a metric")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = settings.metrics_dir


def render() -> tuple[bytes, str]:
    """The metrics of this process, or of all that share `metrics_dir`, as (body, content type)."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess

    if not _is_shared():
        return generate_latest(registry()), CONTENT_TYPE_LATEST
    _forget_dead_processes()
    shared = CollectorRegistry()
    multiprocess.MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return generate_latest(shared), CONTENT_TYPE_LATEST


def _is_shared() -> bool:
    return bool(os.environ.get("PROMETHEUS_MULTIPROC_DIR"))


def _forget_dead_processes() -> None:
    """Drop the levels of processes that have ended; what they counted stays, so that counters never fall."""
    from prometheus_client import multiprocess

    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    pids = {int(file.stem.rpartition("_")[2]) for file in folder.glob("gauge_live*_*.db")}
    for pid in pids:
        if not _lives(pid):
            multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def table() -> str:
    """The Markdown table of docs/metrics.md."""
    rows = ["| Metric | Type | Labels | Meaning |", "|---|---|---|---|"]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.full_name}` | {metric.type_name} | {labels} | {metric.help} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(table(), end="")
