"""Which pipelines an engine keeps loaded. The fake family says how many bytes each one holds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import ModelUnavailable
from pipelines.models import Model
from tests.unit.workers.conftest import FAKE_FAMILY
from tests.unit.workers.models import a_model
from workers.engine_cache import NoRoom, PipelineCache
from workers.engine_memory import DeviceMemory

Gone = list[tuple[str, str]]


@pytest.fixture(autouse=True)
def fake_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FAKE_FAMILY)


@pytest.fixture
def gone() -> Gone:
    """What has been unloaded, and why."""
    return []


@pytest.fixture
def cache(gone: Gone) -> PipelineCache:
    """With room for 1,000 bytes."""
    return PipelineCache("cpu", 1000, on_unload=lambda *told: gone.append(told))


@pytest.fixture
def use(cache: PipelineCache) -> Callable[..., Any]:
    """As a run does."""

    def use(model: Model) -> Any:
        if (found := cache.find(model)) is not None:
            return found
        cache.prepare(model)
        return cache.load(model)

    return use


def test_the_one_used_longest_ago_makes_room(
    cache: PipelineCache, use: Callable[..., Any], gone: Gone, tmp_path: Path
) -> None:
    # Given three models, of which two fit
    one, two, three = (a_model(tmp_path, name, "bytes=400") for name in ("one", "two", "three"))
    for model in (one, two, one):
        use(model)
    # When the third is loaded, whose size nobody knows before
    use(three)
    assert cache.names == ["test/one", "test/three"]
    # and the second again
    use(two)
    assert cache.names == ["test/three", "test/two"]
    assert gone == [("test/two", "room"), ("test/one", "room")]
    assert cache.report()["memory"] == {
        "budget": 1000, "held": 800, "models": {"test/three": 400, "test/two": 400}
    }  # fmt: skip


def test_room_is_made_before_loading_for_what_the_headers_say(
    cache: PipelineCache, use: Callable[..., Any], gone: Gone, tmp_path: Path
) -> None:
    use(a_model(tmp_path, "one", "bytes=400"))
    large = a_model(tmp_path, "large", "bytes=800", stored=800)
    cache.prepare(large)
    assert gone == [("test/one", "room")]


def test_what_was_measured_counts_in_place_of_the_headers(
    cache: PipelineCache, use: Callable[..., Any], gone: Gone, tmp_path: Path
) -> None:
    # Given a model that takes less than its file says
    quantised = a_model(tmp_path, "quantised", "bytes=200", stored=800)
    use(quantised)
    cache.unload(["test/quantised"], "idle")
    # Then it finds room beside another
    use(a_model(tmp_path, "one", "bytes=400"))
    use(quantised)
    assert cache.names == ["test/one", "test/quantised"]
    assert gone == [("test/quantised", "idle")]


def test_one_that_is_too_large_has_its_try_alone(
    cache: PipelineCache, use: Callable[..., Any], tmp_path: Path
) -> None:
    small, large = (
        a_model(tmp_path, name, f"bytes={size}") for name, size in (("small", 10), ("large", 5000))
    )
    for model in (small, large, large):
        use(model)
    assert cache.names == ["test/large"]
    use(small)
    assert cache.names == ["test/small"]


def test_pinned_ones_go_last(
    cache: PipelineCache, use: Callable[..., Any], gone: Gone, tmp_path: Path
) -> None:
    pinned = a_model(tmp_path, "pinned", "bytes=400", pinned=True)
    for model in (pinned, a_model(tmp_path, "one", "bytes=400"), a_model(tmp_path, "two", "bytes=500")):
        use(model)
    assert cache.names == ["test/pinned", "test/two"]
    use(a_model(tmp_path, "large", "bytes=900"))
    assert gone == [("test/one", "room"), ("test/two", "room"), ("test/pinned", "room")]


def test_what_models_share_counts_once(cache: PipelineCache, use: Callable[..., Any], tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        use(a_model(tmp_path, name, "bytes=150 shared=500"))
    memory = cache.report()["memory"]
    assert memory["models"] == {f"test/{name}": 650 for name in ("one", "two", "three")}
    assert memory["held"] == 950


def test_rows_that_load_the_same_are_loaded_once(
    cache: PipelineCache, use: Callable[..., Any], gone: Gone, tmp_path: Path
) -> None:
    # Given two rows that differ in what requests may leave out
    row = a_model(tmp_path, "one", "bytes=600")
    other = row.model_copy(update={"name": "test/other", "title": "Few steps", "defaults": {"steps": 4}})
    # Then both have one pipeline
    assert use(row) is use(other)
    assert cache.report()["memory"]["held"] == 600
    # until neither is wanted
    cache.unload(["test/one"], "idle")
    assert cache.find(other) is not None
    cache.unload(["test/other"], "idle")
    assert cache.find(other) is None
    assert gone == [("test/one", "idle"), ("test/other", "idle")]


def test_a_row_that_has_changed_is_loaded_again(
    cache: PipelineCache, use: Callable[..., Any], gone: Gone, tmp_path: Path
) -> None:
    row = a_model(tmp_path, "one", "bytes=600")
    use(row)
    changed = row.model_copy(update={"dtype": "float16"})
    assert cache.find(changed) is None
    use(changed)
    assert cache.names == ["test/one"]
    assert gone == [("test/one", "changed")]


def test_nobody_makes_room_for_one_that_nobody_waits_for(
    cache: PipelineCache, use: Callable[..., Any], gone: Gone, tmp_path: Path
) -> None:
    use(a_model(tmp_path, "one", "bytes=400"))
    cache.prepare(a_model(tmp_path, "fits", stored=600), spare=True)
    with pytest.raises(NoRoom, match="test/large does not fit beside test/one"):
        cache.prepare(a_model(tmp_path, "large", stored=800), spare=True)
    assert gone == []
    # but for one that is pinned those go that are not
    cache.prepare(a_model(tmp_path, "pinned", stored=800, pinned=True), spare=True)
    assert gone == [("test/one", "room")]


def test_nothing_goes_for_weights_that_are_refused(
    cache: PipelineCache, use: Callable[..., Any], gone: Gone, tmp_path: Path
) -> None:
    use(a_model(tmp_path, "one", "bytes=400"))
    bad = a_model(tmp_path, "bad", stored=800)
    (tmp_path / "bad" / "model.bin").touch()
    with pytest.raises(ModelUnavailable, match="refused"):
        cache.prepare(bad)
    assert gone == []


def test_disorder_and_a_lack_of_memory_are_told_apart(
    cache: PipelineCache, use: Callable[..., Any], gone: Gone, tmp_path: Path
) -> None:
    use(a_model(tmp_path, "one", "bytes=400"))
    use(a_model(tmp_path, "two", "bytes=400"))
    cache.drop("test/one")
    cache.clear()
    assert gone == [("test/one", "broken"), ("test/two", "memory")]
    assert cache.report()["memory"]["held"] == 0


class Counted(DeviceMemory):
    """A device that counts what runs take; here always 300 bytes."""

    counts_runs = True

    @contextmanager
    def peak(self) -> Iterator[list[int]]:
        told: list[int] = []
        yield told
        told.append(300)


def test_the_largest_run_counts_beside_the_weights(gone: Gone, tmp_path: Path) -> None:
    # Given two models that fit together, and of which a run is known now
    cache = PipelineCache("cpu", 1000, Counted("cpu"), on_unload=lambda *told: gone.append(told))
    one, two = (a_model(tmp_path, name, "bytes=400") for name in ("one", "two"))
    for model in (one, two):
        cache.prepare(model)
        cache.load(model)
    with cache.running(two):
        pass
    # Then the next time one of them goes
    assert gone == []
    cache.find(two)
    assert gone == [("test/one", "room")]


def test_before_the_first_run_the_row_says_what_it_takes(gone: Gone, tmp_path: Path) -> None:
    cache = PipelineCache("cpu", 1000, Counted("cpu"), on_unload=lambda *told: gone.append(told))
    one = a_model(tmp_path, "one", "bytes=400")
    cache.prepare(one)
    cache.load(one)
    cache.prepare(a_model(tmp_path, "two", stored=400, memory_bytes=700))
    assert gone == [("test/one", "room")]


def test_tensors_that_share_their_memory_count_once() -> None:
    torch = pytest.importorskip("torch")

    class Pipeline:
        def __init__(self, shared: Any) -> None:
            self.parts = {"text": shared, "unet": torch.nn.Linear(10, 10, bias=False)}
            self.view = shared.weight[:5]
            self.elsewhere = torch.empty(1000, device="meta")

    shared = torch.nn.Linear(20, 20, bias=False)
    pipelines = [Pipeline(shared), Pipeline(shared)]
    one, two = (DeviceMemory("cpu").held_by(pipeline) for pipeline in pipelines)
    assert sum(one.values()) == 4 * (400 + 100)
    assert sum((one | two).values()) == 4 * (400 + 100 + 100)
