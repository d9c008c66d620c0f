"""Reads that change nothing: queues, workers, owners, flags, what is over. Used by JobQueue only."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import redis

from infra.jobs.answers import Beat, Expired, Measured, OwnerUsage, QueueStats, WorkerCard, WorkerInfo
from infra.jobs.codec import known_fields
from infra.jobs.scripts import PREFIX, RATE_KEPT_SECONDS, RATE_SECONDS


def owner_usage(state: redis.Redis, owner: str) -> OwnerUsage:
    queued, running = state.hmget(f"{PREFIX}count:{owner}", "queued", "running")
    return OwnerUsage(int(queued or 0), int(running or 0))


def queue_stats(state: redis.Redis) -> tuple[QueueStats, ...]:
    """One after another: each queue's numbers are of one moment, the whole is not."""
    live = workers(state)
    now = server_time(state)
    names = sorted(cast(set[str], state.smembers(f"{PREFIX}queues")))
    return tuple(_queue_stats(state, name, live, now) for name in names)


def _queue_stats(state: redis.Redis, name: str, live: Sequence[WorkerInfo], now: int) -> QueueStats:
    pipe = state.pipeline()
    pipe.hgetall(f"{PREFIX}queue:{name}")
    pipe.zrange(f"{PREFIX}since:{name}", 0, 0, withscores=True)
    pipe.hexists(f"{PREFIX}paused", f"queue:{name}")
    pipe.hgetall(f"{PREFIX}rate:{name}")
    counters, oldest, paused, rate = pipe.execute()
    serving = [worker for worker in live if name in worker.card.queues]
    return QueueStats(
        name=name,
        ready=int(counters.get("ready", 0)),
        delayed=int(counters.get("delayed", 0)),
        waiting=int(counters.get("waiting", 0)),
        running=int(counters.get("running", 0)),
        oldest_wait_seconds=max(0, now - oldest[0][1]) / 1000 if oldest else 0.0,
        succeeded=int(counters.get("succeeded", 0)),
        failed=int(counters.get("failed", 0)),
        cancelled=int(counters.get("cancelled", 0)),
        device_seconds=float(counters.get("device_seconds", 0)),
        jobs_per_second=_jobs_per_second(rate, now),
        seconds_per_job=_seconds_per_job(rate, now),
        workers=len(serving),
        parked=sum(worker.parked for worker in serving),
        paused=bool(paused),
    )


def _jobs_per_second(rate: Mapping[str, str], now: int) -> float:
    """What `rate:<queue>` says (4_rates.lua), as of now: what is weighted by exp(-age / τ) adds up to
    τ (1 - exp(-t / τ)) seconds since the first attempt began, t ago."""
    if not rate:
        return 0.0
    faded = math.exp(-max(0, now - int(rate["at"])) / 1000 / RATE_SECONDS)
    seconds = max(1.0, (now - int(rate["since"])) / 1000)
    return float(rate["jobs"]) * faded / (RATE_SECONDS * -math.expm1(-seconds / RATE_SECONDS))


def _seconds_per_job(rate: Mapping[str, str], now: int) -> float | None:
    if not rate or now - int(rate["at"]) > RATE_KEPT_SECONDS * 1000:
        return None
    return float(rate["busy"]) / float(rate["jobs"])


def workers(state: redis.Redis) -> tuple[WorkerInfo, ...]:
    ids = sorted(cast(list[str], state.zrange(f"{PREFIX}workers", 0, -1)))
    pipe = state.pipeline()
    for worker_id in ids:
        pipe.hgetall(f"{PREFIX}w:{worker_id}")
    cards = [record for record in pipe.execute() if record]  # one may have left since
    return tuple(_worker(state, record) for record in cards)


def _worker(state: redis.Redis, record: Mapping[str, str]) -> WorkerInfo:
    card = _card(json.loads(record["card"]))
    parked = bool(card.queues) and state.zscore(f"{PREFIX}park:{card.queues[0]}", card.id) is not None
    return WorkerInfo(
        card,
        parked,
        jobs=tuple(json.loads(record.get("jobs", "[]"))),
        since=int(record["since"]),
        seen_at=int(record["seen_at"]),
        paused=bool(state.hexists(f"{PREFIX}paused", f"worker:{card.id}")),
        trouble=record.get("trouble", ""),
    )


def _card(item: dict[str, Any]) -> WorkerCard:
    lists = {name: tuple(item.get(name, ())) for name in ("queues", "models", "warm", "given_up")}
    measured = tuple(Measured(**known_fields(Measured, each)) for each in item.get("measured", ()))
    return WorkerCard(**known_fields(WorkerCard, item | lists | {"measured": measured}))


def flags(state: redis.Redis, leases: Sequence[tuple[str, str]]) -> dict[str, Beat]:
    pipe = state.pipeline(transaction=False)
    for job_id, _ in leases:
        pipe.hmget(f"{PREFIX}j:{job_id}", "status", "attempt_id", "cancel_requested_at", "timed_out_at")
    return {attempt: _flag(attempt, row) for (_, attempt), row in zip(leases, pipe.execute(), strict=True)}


def _flag(attempt_id: str, row: Sequence[str | None]) -> Beat:
    status, holder, cancelled, timed_out = row
    if status != "running" or holder != attempt_id:
        return Beat.LOST
    if cancelled:
        return Beat.CANCEL
    return Beat.TIMED_OUT if timed_out else Beat.OK


def expired(state: redis.Redis, limit: int) -> list[Expired]:
    ids = _due(state, "expiring", server_time(state), limit)
    pipe = state.pipeline(transaction=False)
    for job_id in ids:
        pipe.hget(f"{PREFIX}j:{job_id}", "owner")
        pipe.hget(f"{PREFIX}archived", job_id)
    answers = iter(pipe.execute())
    found = []
    for job_id, owner, archived in zip(ids, answers, answers, strict=True):
        if owner or archived:  # another collector may have been first
            found.append(Expired(owner or json.loads(archived)["owner"], job_id, archived=not owner))
    return found


def finished(state: redis.Redis, older_than_seconds: float, limit: int) -> dict[str, dict[str, str]]:
    """Records of jobs that ended so long ago, by id, oldest first; empty ones were removed by older code."""
    ids = _due(state, "finished", server_time(state) - older_than_seconds * 1000, limit)
    pipe = state.pipeline(transaction=False)
    for job_id in ids:
        pipe.hgetall(f"{PREFIX}j:{job_id}")
    return dict(zip(ids, pipe.execute(), strict=True))


def archived_owner(state: redis.Redis, job_id: str) -> str | None:
    """The owner of an archived job that may be shown; '' when it may not, None when it is not known."""
    text = cast("str | None", state.hget(f"{PREFIX}archived", job_id))
    if text is None:
        return None
    known = json.loads(text)
    return "" if known.get("deleted") else str(known["owner"])


def _due(state: redis.Redis, name: str, until: float, limit: int) -> list[str]:
    return cast(list[str], state.zrangebyscore(PREFIX + name, "-inf", until, start=0, num=limit))


def server_time(state: redis.Redis) -> int:
    """Epoch ms by the clock that the scripts go by."""
    seconds, micros = state.time()
    skew = int(state.get(f"{PREFIX}skew") or 0)
    return int(seconds) * 1000 + int(micros) // 1000 + skew
