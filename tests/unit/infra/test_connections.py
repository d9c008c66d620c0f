"""Clients answer or raise in time, and a server that would lose jobs is refused."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from infra.connections import check_durable, check_server, connect, translate
from infra.errors import BadSetting, NotDurable, ServerTooOld, StateUnavailable
from infra.metrics import STATE_FAILURES
from tests.servers import StateServer, free_port, quickest, redis_program, valkey_program

Start = Callable[..., StateServer]
ANSWER_SECONDS = 3.0  # what the API promises


@pytest.fixture(params=[valkey_program, redis_program], ids=["valkey", "redis7"])
def own(request: pytest.FixtureRequest, start_server: Start) -> StateServer:
    """A server that the test may hang, kill and set."""
    return start_server(request.param())


def durability_in_words(client: redis.Redis) -> str:
    """What is found of the server, or why nothing is."""
    try:
        return check_durable(client)
    except StateUnavailable as error:
        return "away" if "does not answer" in str(error) else str(error)


class TestBounds:
    def test_a_server_that_hangs_is_told_within_three_seconds(self, own: StateServer) -> None:
        client = connect(own.url)
        client.ping()
        own.freeze()
        self.assert_unavailable(lambda: client.get("x"))
        own.thaw()
        assert client.ping()

    def test_a_server_that_hung_before_the_first_call(self, own: StateServer) -> None:
        client = connect(own.url)
        own.freeze()
        self.assert_unavailable(lambda: client.pipeline().get("x").execute())
        own.thaw()
        assert client.ping()

    def test_a_server_that_is_gone_is_told_and_found_again(self, own: StateServer) -> None:
        client = connect(own.url)
        client.set("x", "1")
        own.kill()
        self.assert_unavailable(lambda: client.get("x"))
        own.start()
        assert client.get("x") == "1"

    def test_a_port_where_nobody_listens(self) -> None:
        client = connect(f"redis://127.0.0.1:{free_port()}")
        self.assert_unavailable(lambda: client.get("x"))

    def test_more_callers_than_connections_wait_only_so_long(self, valkey: StateServer) -> None:
        client = connect(valkey.url, max_connections=1)
        with client.pipeline() as pipe:
            pipe.watch("x")  # holds the only connection
            self.assert_unavailable(lambda: client.get("x"))
        assert client.get("x") is None

    @staticmethod
    def assert_unavailable(call: Callable[[], object]) -> None:
        def seconds() -> float:
            begun = time.monotonic()
            with pytest.raises(StateUnavailable), translate():
                call()
            return time.monotonic() - begun

        assert quickest(seconds, ANSWER_SECONDS) < ANSWER_SECONDS

    @pytest.mark.parametrize("url", ["", "http://h", "redis:/h", "redis://h:port"])
    def test_a_wrong_url_is_a_setting_to_mend(self, url: str) -> None:
        with pytest.raises(BadSetting):
            connect(url)


class TestTranslation:
    def test_memory_full(self, own: StateServer) -> None:
        client = own.client()
        client.config_set("maxmemory", "100kb")
        with pytest.raises(StateUnavailable, match="cannot serve now"), translate():
            client.set("x", "1")
        with pytest.raises(StateUnavailable), translate():
            client.eval("return redis.call('set', KEYS[1], '1')", 1, "x")

    def test_too_few_replicas(self, own: StateServer) -> None:
        client = own.client()
        client.config_set("min-replicas-to-write", "1")
        with pytest.raises(StateUnavailable), translate():
            client.set("x", "1")

    def test_our_own_mistakes_pass_through(self, state: redis.Redis) -> None:
        state.set("x", "text")
        with pytest.raises(redis.ResponseError), translate():
            state.incr("x")

    def test_failures_are_counted(self) -> None:
        with pytest.raises(StateUnavailable), translate():
            raise redis.TimeoutError
        assert b"atelier_state_failures_total" in _metrics()
        assert STATE_FAILURES.full_name == "atelier_state_failures_total"


def _metrics() -> bytes:
    from infra.metrics import render

    return render()[0]


class TestDurability:
    def test_fsync_of_every_write(self, own: StateServer) -> None:
        assert check_durable(own.client()) == "always"

    def test_a_client_that_does_not_decode(self, own: StateServer) -> None:
        assert check_durable(own.client(decode=False)) == "always"

    def test_without_an_append_only_file_it_is_refused(self, own: StateServer) -> None:
        own.client().config_set("appendonly", "no")
        with pytest.raises(NotDurable, match="append-only file is off"):
            check_durable(own.client())

    def test_a_server_that_still_reads_its_file_is_waited_for(self, own: StateServer) -> None:
        # Given a file that takes a second to read: meanwhile a server says that it has none
        pipe = own.client().pipeline()
        for number in range(20_000):  # it answers after every thousand
            pipe.set("x", number)
        pipe.execute()
        own.kill()
        own.options += ("--key-load-delay", "50")  # microseconds
        with ThreadPoolExecutor() as pool:
            started = pool.submit(own.start)
            # When it is asked all the while
            words = set()
            while not started.done():
                words.add(durability_in_words(own.client()))
        # Then it is never taken for one that would lose jobs
        assert "The state server is still loading its data." in words
        assert words <= {"The state server is still loading its data.", "away", "always"}

    def test_the_operator_may_accept_the_loss(self, own: StateServer) -> None:
        own.client().config_set("appendonly", "no")
        assert check_durable(own.client(), "fast") == "fast"

    @pytest.mark.parametrize(
        "change", [("appendfsync", "everysec"), ("appendfsync", "no"), ("no-appendfsync-on-rewrite", "yes")]
    )
    def test_a_late_fsync_takes_waitaof(self, start_server: Start, change: tuple[str, str]) -> None:
        client = start_server(valkey_program()).client()
        client.config_set(*change)
        assert check_durable(client) == "waitaof"

    def test_a_late_fsync_without_waitaof_is_refused(self, start_server: Start) -> None:
        client = start_server(redis_program()).client()
        client.config_set("appendfsync", "everysec")
        with pytest.raises(NotDurable, match="too old for WAITAOF"):
            check_durable(client)

    def test_a_server_that_hides_its_settings_is_asked_by_waitaof(self, start_server: Start) -> None:
        server = start_server(
            valkey_program(), options=("--appendonly", "yes", "--rename-command", "CONFIG", "")
        )
        assert check_durable(server.client()) == "waitaof"

    def test_eviction_is_refused(self, own: StateServer) -> None:
        client = own.client()
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        with pytest.raises(NotDurable, match="evicts keys"):
            check_durable(client)


class TestServer:
    def test_name_and_version(self, valkey: StateServer, redis7: StateServer) -> None:
        assert check_server(valkey.client()).startswith("valkey 9.")
        assert check_server(redis7.client()).startswith("redis ")

    def test_an_old_one_is_refused(self, state: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("infra.connections.OLDEST_SERVER", (99, 0))
        with pytest.raises(ServerTooOld, match=r"needed"):
            check_server(state)
