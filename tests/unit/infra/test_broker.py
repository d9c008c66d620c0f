"""The doorbell: rung in time or given up, and its Celery set as the design says."""

import json
import time
from collections.abc import Callable, Iterator

import pytest

from infra.broker import DOORBELL, KEY_PREFIX, QUIET_SECONDS, Doorbell, celery_url, make_celery
from infra.errors import BadSetting
from infra.metrics import DOORBELLS, render
from infra.settings import Settings
from tests.servers import StateServer, redis_program, valkey_program, wait_for

Start = Callable[..., StateServer]
QUEUES = ("image", "text")


@pytest.fixture(params=[valkey_program, redis_program], ids=["valkey", "redis7"])
def server(request: pytest.FixtureRequest, start_server: Start) -> StateServer:
    return start_server(request.param(), options=("--appendonly", "no"))


@pytest.fixture
def bell(server: StateServer) -> Iterator[Doorbell]:
    bell = Doorbell(make_celery(Settings(broker_url=server.url), QUEUES))
    yield bell
    bell.close()


def waiting(server: StateServer, queue: str = "image") -> int:
    return int(server.client().llen(KEY_PREFIX + queue))


def counted(result: str) -> float:
    name = f'{DOORBELLS.full_name}{{queue="image",result="{result}"}} '
    lines = render()[0].decode().splitlines()
    return float(next((line.removeprefix(name) for line in lines if line.startswith(name)), "0"))


class TestRinging:
    def test_one_message_of_a_queue_and_a_job_id_is_sent(self, server: StateServer, bell: Doorbell) -> None:
        bell.ring("image", "job_1")
        assert waiting(server) == 1
        message = json.loads(str(server.client().lpop(f"{KEY_PREFIX}image")))
        assert message["headers"]["task"] == DOORBELL
        assert message["headers"]["argsrepr"] == "['image', 'job_1']"

    def test_a_hung_broker_costs_about_a_second(self, server: StateServer, bell: Doorbell) -> None:
        bell.ring("image", "job_1")
        server.freeze()
        self.assert_gives_up(bell)
        server.thaw()
        self.assert_rings_again(server, bell)

    def test_a_broker_that_hangs_from_the_start(self, server: StateServer, bell: Doorbell) -> None:
        server.freeze()
        self.assert_gives_up(bell)
        server.thaw()
        self.assert_rings_again(server, bell)

    def test_a_broker_that_is_gone_and_returns(self, server: StateServer, bell: Doorbell) -> None:
        bell.ring("image", "job_1")
        server.kill()
        self.assert_gives_up(bell)
        server.start()
        self.assert_rings_again(server, bell)

    def test_after_a_failure_it_is_quiet_for_a_moment(self, server: StateServer, bell: Doorbell) -> None:
        server.kill()
        skipped = counted("skipped")
        bell.ring("image", "job_1")
        bell.ring("image", "job_2")
        assert counted("skipped") == skipped + 1

    @staticmethod
    def assert_gives_up(bell: Doorbell) -> None:
        failed, begun = counted("failed"), time.monotonic()
        bell.ring("image", "job_1")
        assert time.monotonic() - begun < 8.0  # it gives up after 0.6 s; the rest is for a busy machine
        assert counted("failed") == failed + 1

    @staticmethod
    def assert_rings_again(server: StateServer, bell: Doorbell) -> None:
        sent = counted("sent")

        def rings() -> bool:
            bell.ring("image", "job_2")
            return counted("sent") > sent

        wait_for(rings, QUIET_SECONDS + 10, "a ring after the broker's return")
        assert waiting(server) >= 1


class TestConfiguration:
    def test_nothing_is_stored_acknowledged_late_or_prefetched(self) -> None:
        conf = make_celery(Settings(redis_url="redis://h"), QUEUES).conf
        assert conf.result_backend is None
        assert conf.task_ignore_result
        assert not conf.task_acks_late
        assert conf.worker_disable_prefetch
        assert (conf.worker_pool, conf.worker_concurrency) == ("threads", 1)
        assert (conf.accept_content, conf.task_serializer) == (["json"], "json")
        assert conf.broker_transport_options["global_keyprefix"] == "atl:mq:"

    def test_only_the_declared_queues_exist(self, bell: Doorbell, server: StateServer) -> None:
        failed = counted("failed")
        bell.ring("image", "job_1")
        assert counted("failed") == failed
        with pytest.raises(Exception, match="other"):
            make_celery(Settings(broker_url=server.url), QUEUES).send_task(DOORBELL, queue="other")

    @pytest.mark.parametrize(
        ("url", "celery"),
        [
            ("unix:///run/b.sock", "redis+socket:///run/b.sock"),
            ("redis://:p@h:1/2", "redis://:p@h:1/2"),
            ("rediss://h", "rediss://h"),
        ],
    )
    def test_urls_as_kombu_spells_them(self, url: str, celery: str) -> None:
        assert celery_url(url) == celery

    @pytest.mark.parametrize("url", ["amqp://h", "h", ""])
    def test_other_brokers_are_refused(self, url: str) -> None:
        with pytest.raises(BadSetting, match="broker's URL"):
            celery_url(url)
