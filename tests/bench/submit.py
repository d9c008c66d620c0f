"""(a) Submissions a second, and how long each takes, beside a minimal Flask and Celery application."""

import json

from tests.bench.figures import Goal, Result, Size
from tests.bench.load import Answers, Order, put_load
from tests.bench.parts import bench, durable, running

CONNECTIONS, FEW = 64, 8
SECONDS = 2.0
PROMPT = "A red lighthouse on a cliff above a stormy sea, oil painting, late light"
BODY = {
    "kind": "text-to-image",
    "model": "test/fake",
    "inputs": {"prompt": PROMPT, "steps": 20, "guidance": 7.0},
}

UNITS = {
    "ours": "Atelier, accepted jobs/s",
    "rival": "Flask and Celery, accepted tasks/s",
    "ratio": "ratio of the two",
    "ours_p50": "Atelier, median ms",
    "rival_p50": "Flask and Celery, median ms",
    "ours_p99": "Atelier, 99 % ms",
    "rival_p99": "Flask and Celery, 99 % ms",
    "p99_ratio": "ratio of the 99 %",
    "empty": "empty Flask view on the rival's server, answers/s",
    "few_ours": f"Atelier with {FEW} connections, accepted jobs/s",
    "few_rival": f"Flask and Celery with {FEW} connections, accepted tasks/s",
    "few_ratio": "ratio of the two",
    "load_core": "load generator's share of a core, most",
}
GOALS = (
    Goal("ratio", "≥", 3.0, "≥ 3.0 times the rival's submissions a second"),
    Goal("p99_ratio", "≤", 0.5, "99 % of answers within half of the rival's time"),
)


def run(size: Size) -> Result:
    """Ours, theirs and the empty view take turns within each run."""
    result = Result(
        "submit",
        "Submissions",
        f"{CONNECTIONS} keep-alive connections post the same small text-to-image job as fast as they are"
        " answered; only `202` counts. One API process, as `atelier up` starts it, on a Valkey with"
        " `appendfsync always`; beside it `tests/bench/plain.py` under gunicorn (one gthread worker,"
        " 8 threads), whose broker is a second Valkey with the same options. The load comes from a"
        " third process (`tests/bench/load.py`), and the three measurements take turns.",
        UNITS,
        GOALS,
        bars=("ours", "rival", "empty"),
    )
    with bench() as ours, durable() as broker:
        rival, port = ours.rival(broker)
        with running(ours.api(), rival):
            for number in range(size.runs):
                _run(result, size, ours.settings.port, port)
                size.tell(f"submit {number + 1}/{size.runs}: {result.runs['ratio'][-1]:.2f} times")
    return result


def _run(result: Result, size: Size, our_port: int, port: int) -> None:
    def load(port: int, path: str, body: object, connections: int = CONNECTIONS) -> Answers:
        seconds = size.of(SECONDS, 0.2)
        text = json.dumps(body) if body else ""
        return put_load(Order(port, path, text, {}, connections, seconds, seconds / 6))

    ours, theirs = load(our_port, "/v1/jobs", BODY), load(port, "/jobs", BODY)
    empty = load(port, "/empty", None)
    few_ours, few_theirs = load(our_port, "/v1/jobs", BODY, FEW), load(port, "/jobs", BODY, FEW)
    for answers in (ours, few_ours, theirs, few_theirs):
        assert set(answers.statuses) <= {"202"}, answers
    result.add(
        ours=ours.rate(202),
        rival=theirs.rate(202),
        ratio=ours.rate(202) / theirs.rate(202),
        ours_p50=ours.p50_ms,
        rival_p50=theirs.p50_ms,
        ours_p99=ours.p99_ms,
        rival_p99=theirs.p99_ms,
        p99_ratio=ours.p99_ms / theirs.p99_ms,
        empty=empty.rate(200),
        few_ours=few_ours.rate(202),
        few_rival=few_theirs.rate(202),
        few_ratio=few_ours.rate(202) / few_theirs.rate(202),
        load_core=max(ours.core, theirs.core, empty.core),
    )
