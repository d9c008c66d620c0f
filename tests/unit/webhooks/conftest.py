"""A post office: the queue that makes messages, the outbox, and a receiver, on each state server."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import redis

from infra.jobs.record import Job
from infra.jobs.scripts import PREFIX
from infra.outbound import Allow, Outbound
from infra.webhooks.dispatcher import Dispatcher
from infra.webhooks.endpoints import Endpoints
from infra.webhooks.messages import Delivery, DeliveryState
from infra.webhooks.outbox import Outbox
from infra.webhooks.sender import Sender
from tests.receiver import Receiver
from tests.servers import StateServer, wait_for
from tests.unit.jobs.conftest import Bench


@dataclass
class Office:
    """Everything between a job's end and its receiver."""

    state: redis.Redis

    def __post_init__(self) -> None:
        self.bench = Bench(self.state)
        self.endpoints = Endpoints(self.state)
        self.outbox = Outbox(self.state)

    def sender(self, receiver: Receiver, timeout_seconds: float = 5.0) -> Sender:
        outbound = Outbound(Allow.parse(receiver.allow), timeout_seconds=timeout_seconds)
        return Sender(self.endpoints, outbound)

    def dispatcher(self, receiver: Receiver, timeout_seconds: float = 5.0) -> Dispatcher:
        return Dispatcher(self.outbox, self.sender(receiver, timeout_seconds), interval=0.02)

    def ended(self, webhook: str, owner: str = "ann") -> Job:
        """A job that was cancelled, and has a message in the outbox."""
        job = self.bench.add(owner, webhook=webhook)
        return self.bench.queue.cancel(job.id, owner)

    def delivery(self, job: Job) -> Delivery:
        (found,) = self.outbox.deliveries(job.id, job.owner)
        return found

    def wait_for_state(self, job: Job, state: DeliveryState) -> Delivery:
        wait_for(lambda: self.delivery(job).state is state, what=f"the message's end as {state}")
        return self.delivery(job)

    def wait_for_attempts(self, job: Job, count: int) -> Delivery:
        wait_for(lambda: len(self.delivery(job).attempts) == count, what=f"attempt {count}")
        return self.delivery(job)

    def idle(self) -> bool:
        """Whether nothing of any message is left but its log."""
        keys = {key.removeprefix(f"{PREFIX}outbox") for key in self.state.keys(f"{PREFIX}outbox*")}
        return all(key.startswith((":msg_", ":taken:", ":turns")) for key in keys)


@pytest.fixture
def office(state_server: StateServer) -> Iterator[Office]:
    """On Valkey, then on Redis 7.0."""
    client = state_server.client()
    yield Office(client)
    client.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().serving() as found:
        yield found
