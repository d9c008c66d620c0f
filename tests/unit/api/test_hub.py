"""The hub: who is woken, who is let in."""

import threading

import pytest

from api.hub import Change, Hub
from api.problems import Problem


def test_wakes_those_who_watch_the_job_and_nobody_else() -> None:
    hub = Hub(limit=10)
    with hub.watch("a") as first, hub.watch("a") as second, hub.watch("b") as other:
        hub.wake("a")
        assert first.wait(0)
        assert second.wait(0)
        assert not other.wait(0)
        assert not first.wait(0), "a wake-up is taken once"


def test_wakes_a_watcher_that_sleeps() -> None:
    hub = Hub(limit=1)
    with hub.watch("a") as watch:
        timer = threading.Timer(0.01, hub.wake, ["a"])
        timer.start()
        assert watch.wait(10)
        timer.join()


def test_keeps_only_the_latest_live_progress() -> None:
    hub = Hub(limit=1)
    with hub.watch("a") as watch:
        hub.show("a", b"1")
        hub.show("a", b"2")
        assert watch.take_live() == b"2"
        assert watch.take_live() is None


def test_refuses_one_too_many_and_lets_in_the_next_when_one_leaves() -> None:
    hub = Hub(limit=1)
    with hub.watch("a"):
        with pytest.raises(Problem) as caught, hub.watch("b"):
            pass
        assert caught.value.type.status == 503
        assert "Retry-After" in caught.value.headers
        assert hub.watched == {"a"}
    with hub.watch("b"):
        assert hub.count == 1
    assert hub.count == 0
    assert hub.watched == frozenset()


def test_lets_everybody_go_at_the_end() -> None:
    hub = Hub(limit=2)
    with hub.watch("a") as first, hub.watch("b") as second:
        hub.close()
        assert hub.closing
        assert first.wait(0)
        assert second.wait(0)


def test_what_one_watcher_reads_of_a_change_the_others_have_too() -> None:
    hub, reads = Hub(limit=2), list[str]()

    def read() -> str:
        reads.append("read")
        return "events"

    with hub.watch("a") as first, hub.watch("a") as second:
        hub.wake("a")
        changes = [first.take_change(), second.take_change()]
        assert [change.read("1-0", read) for change in changes if change] == ["events", "events"]
        assert len(reads) == 1
        assert first.take_change() is None, "a change is taken once"
        assert changes[0] is not None
        changes[0].read("0-0", read)
        assert len(reads) == 2, "who was told less reads more"
        hub.wake("a")
        later = first.take_change()
        assert later is not None
        later.read("1-0", read)
        assert len(reads) == 3, "a later change is read anew"


def test_a_watcher_that_ends_while_it_reads_takes_nobody_along() -> None:
    change = Change()

    def end() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        change.read("1-0", end)
    assert change.read("1-0", lambda: "events") == "events"
