"""Metrics: declared once, used, documented, and whole when several processes share them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra import metrics
from infra.metric_types import Counter
from infra.metrics import METRICS, render, table

ROOT = Path(__file__).parents[3]
FORBIDDEN_LABELS = {"job_id", "owner", "prompt", "attempt_id", "key", "path", "worker"}


def in_process(folder: Path, script: str) -> str:
    """What `script` prints, run in a process that shares its metrics through `folder`."""
    head = f"""
import os
from infra import metrics
from infra.settings import Settings
settings = Settings(metrics_dir={str(folder)!r})
metrics.configure(settings)
"""
    done = subprocess.run(
        [sys.executable, "-c", head + script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout


class TestDeclarations:
    def test_each_has_a_name_of_its_own_a_help_and_few_labels(self) -> None:
        assert len({metric.name for metric in METRICS}) == len(METRICS)
        for metric in METRICS:
            assert re.fullmatch(r"[a-z]+(_[a-z]+)*", metric.name)
            assert metric.help.endswith(".")
            assert not FORBIDDEN_LABELS & set(metric.labels)
            assert isinstance(metric, Counter) == metric.name.endswith("_total")

    def test_each_is_in_the_documentation(self) -> None:
        text = (ROOT / "docs/metrics.md").read_text()
        assert table() in text, "run: python -m infra.metrics, and paste its table"
        assert {f"atelier_{metric.name}" for metric in METRICS} >= set(re.findall(r"atelier_[a-z_]+", text))

    def test_each_is_used(self) -> None:
        sources = [path for name in ("infra", "api", "workers") for path in (ROOT / name).rglob("*.py")]
        text = "\n".join(path.read_text() for path in sources if path.name != "metrics.py")
        names = [name for name, value in vars(metrics).items() if value in METRICS and name.isupper()]
        assert [name for name in names if not re.search(rf"\b{name}\.(inc|set|observe|time)\(", text)] == []


class TestOneProcess:
    def test_what_is_counted_is_shown(self) -> None:
        metrics.QUEUE_JOBS.set(3, queue="of-this-test", state="ready")
        metrics.STORAGE_SECONDS.observe(0.2, backend="of-this-test", operation="put")
        body, content_type = render()
        text = body.decode()
        assert 'atelier_queue_jobs{queue="of-this-test",state="ready"} 3.0' in text
        assert 'atelier_storage_seconds_bucket{backend="of-this-test",le="0.25",operation="put"} 1.0' in text
        assert "process_resident_memory_bytes" in text
        assert content_type.startswith("text/plain")

    def test_time_counts_what_fails_too(self) -> None:
        with (
            pytest.raises(ValueError, match="no"),
            metrics.STORAGE_SECONDS.time(backend="failing", operation="put"),
        ):
            raise ValueError("no")
        assert b'atelier_storage_seconds_count{backend="failing",operation="put"} 1.0' in render()[0]

    def test_a_wrong_label_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="label"):
            metrics.QUEUE_JOBS.set(1, prompt="x")


class TestSeveralProcesses:
    def test_counts_add_up_and_levels_die_with_their_process(self, tmp_path: Path) -> None:
        use = 'metrics.CLAIMS.inc(result="job"); metrics.MODELS_WARM.set(1, model="m")\n'
        alive = use + "print(metrics.render()[0].decode())"
        in_process(tmp_path, use)
        in_process(tmp_path, use)
        text = in_process(tmp_path, alive)
        assert 'atelier_claims_total{result="job"} 3.0' in text
        assert 'atelier_models_warm{model="m"} 1.0' in text

    def test_the_last_level_set_is_shown_for_what_all_measure(self, tmp_path: Path) -> None:
        script = "metrics.HOME_BYTES.set(5); print(metrics.render()[0].decode())"
        assert "atelier_home_bytes 5.0" in in_process(tmp_path, script)

    def test_configuring_too_late_is_told(self, tmp_path: Path) -> None:
        script = """
import prometheus_client
os.environ.pop("PROMETHEUS_MULTIPROC_DIR")
try:
    metrics.configure(settings)
except RuntimeError as error:
    print(error)
"""
        assert "before the first use" in in_process(tmp_path, script)


def test_threads_that_use_a_metric_first_at_once_make_it_once(tmp_path: Path) -> None:
    script = """
import sys, threading
sys.setswitchinterval(1e-6)
counters = [metric for metric in metrics.METRICS if type(metric).__name__ == "Counter" and not metric.labels]
failed = []
threading.excepthook = lambda broken: failed.append(broken.exc_value)

def use(start):
    start.wait()
    for counter in counters:
        counter.inc()

start = threading.Barrier(8)
threads = [threading.Thread(target=use, args=[start]) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(counters) > 0, failed)
"""
    assert in_process(tmp_path, script) == "True []\n"
