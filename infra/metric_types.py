"""What a metric is: a declaration that makes its prometheus object on first use.

prometheus-client chooses between memory and shared files at import, by the environment; so it is imported
only when a metric is first used, after `infra.metrics.configure` has decided. Each use names its labels.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import prometheus_client as prometheus

PREFIX = "atelier_"


@dataclass(frozen=True)
class Metric:
    """One row of docs/metrics.md."""

    name: str
    """Full name without the prefix, unit and all: `api_requests_total`."""
    help: str
    """What one sees in it, in a sentence."""
    labels: tuple[str, ...] = ()
    """Label names; their values come from small closed sets."""

    @property
    def full_name(self) -> str:
        return PREFIX + self.name

    @property
    def type_name(self) -> str:
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Counter(Metric):
    """Counts what happened; only grows."""

    def inc(self, amount: float = 1, **labels: str) -> None:
        """Count `amount` more."""
        _child(self, labels).inc(amount)


@dataclass(frozen=True)
class Gauge(Metric):
    """A level that rises and falls."""

    across: str = "livesum"
    """How several processes' values become one: `livesum` adds, `livemostrecent` takes the last one set."""

    def set(self, value: float, **labels: str) -> None:
        """Set the level."""
        _child(self, labels).set(value)


@dataclass(frozen=True)
class Histogram(Metric):
    """How long things took, in seconds, sorted into buckets."""

    buckets: tuple[float, ...] = ()
    """Upper bounds in seconds."""

    def observe(self, seconds: float, **labels: str) -> None:
        """Add one duration."""
        _child(self, labels).observe(seconds)

    @contextmanager
    def time(self, **labels: str) -> Iterator[None]:
        """Add the duration of the block, however it ends."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.observe(time.perf_counter() - begun, **labels)


@cache
def registry() -> "prometheus.CollectorRegistry":
    """This process's metrics, with its own memory and processor use."""
    import prometheus_client as prometheus

    prometheus.disable_created_metrics()  # type: ignore[no-untyped-call]
    made = prometheus.CollectorRegistry()
    prometheus.ProcessCollector(registry=made)
    return made


_making = threading.Lock()
_children: dict[tuple[object, ...], Any] = {}
"""By metric and labels: to ask prometheus-client for one takes three locks."""


def _child(metric: Metric, labels: Mapping[str, str]) -> Any:
    key = (metric.name, *labels.items())
    found = _children.get(key)
    if found is None:
        made = _made(metric)
        found = _children[key] = made.labels(**labels) if metric.labels else made
    return found


def _made(metric: Metric) -> Any:
    """The prometheus object. Threads that use a metric for the first time at once make it once."""
    with _making:
        return _make(metric)


@cache
def _make(metric: Metric) -> Any:
    import prometheus_client as prometheus

    if isinstance(metric, Histogram):
        return prometheus.Histogram(
            metric.full_name, metric.help, metric.labels, buckets=metric.buckets, registry=registry()
        )
    if isinstance(metric, Gauge):
        return prometheus.Gauge(
            metric.full_name,
            metric.help,
            metric.labels,
            multiprocess_mode=metric.across,  # type: ignore[arg-type]
            registry=registry(),
        )
    return prometheus.Counter(metric.full_name, metric.help, metric.labels, registry=registry())
