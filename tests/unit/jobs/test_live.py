"""Live progress reaches who watches, and its broker may fail."""

from collections.abc import Callable

import pytest

from infra.jobs.live import CHANNEL, PREVIEW_MAX_BYTES, Live, Shown, read_live
from tests.servers import FORGETFUL, StateServer, wait_for

PROGRESS = {"attempt_id": "a1", "fraction": 0.25, "step": 5, "steps": 20, "stage": "denoise"}


@pytest.mark.parametrize("decode", [True, False])
def test_watchers_get_progress_and_previews(broker: StateServer, decode: bool) -> None:
    client = broker.client(decode=decode)
    live, subscription = Live(client), client.pubsub(ignore_subscribe_messages=True)
    subscription.subscribe(CHANNEL + "job_1")
    shown: list[Shown] = []

    def sees(count: int) -> bool:
        message = subscription.get_message(timeout=0.1)
        if message is not None:
            shown.append(read_live(message["data"]))
        return len(shown) >= count

    wait_for(lambda: subscription.get_message(timeout=0.1) is None)
    live.publish("job_1", PROGRESS)
    live.publish("job_1", PROGRESS, b"\x00preview")
    live.publish("job_1", PROGRESS, b"x" * (PREVIEW_MAX_BYTES + 1))
    live.publish("job_2", PROGRESS)

    wait_for(lambda: sees(3), what="three messages")
    assert shown == [Shown(PROGRESS, None), Shown(PROGRESS, b"\x00preview"), Shown(PROGRESS, None)]
    assert live.latest("job_1", "a1") == PROGRESS
    assert live.latest("job_3", "a1") is None
    assert live.answers()
    subscription.close()
    client.close()


def test_a_broker_that_fails_is_logged_once_and_hurts_nobody(
    start_server: Callable[..., StateServer], caplog: pytest.LogCaptureFixture
) -> None:
    server = start_server(options=FORGETFUL)
    client = server.client()
    live = Live(client)
    server.kill()

    for _ in range(3):
        live.publish("job_1", PROGRESS)
    assert live.latest("job_1", "a1") is None
    assert not live.answers()
    assert caplog.text.count("Live progress is not shown") <= 1

    server.start()
    live.publish("job_1", PROGRESS)
    assert live.latest("job_1", "a1") == PROGRESS
    client.close()
