"""What the views work with: made once for each process, reached through `services()`."""

from dataclasses import dataclass
from functools import partial

import redis
from flask import current_app

from api.doorbell import LateDoorbell
from api.home import HomeCap
from api.hub import Hub
from api.listeners import EventsListener, LiveListener
from infra.archive import Archive
from infra.collector import Collector
from infra.connections import Durability, check_durable, connect
from infra.jobs.answers import Limits
from infra.jobs.bulk import Bulk
from infra.jobs.events import Events
from infra.jobs.live import Live
from infra.jobs.operator import Operator
from infra.jobs.owners import Owners
from infra.jobs.queue import JobQueue
from infra.jobs.rescuer import Rescuer
from infra.keys import RememberedKeys
from infra.logs import get_logger
from infra.outbound import Allow, Outbound
from infra.settings import Settings
from infra.storage import open_storage
from infra.storage.base import Storage
from infra.uploads import Uploads
from infra.webhooks.dispatcher import Dispatcher
from infra.webhooks.endpoints import Endpoints
from infra.webhooks.outbox import Outbox
from infra.webhooks.sender import Sender
from pipelines.catalog import Catalog
from pipelines.following import FollowedCatalog
from pipelines.safety import Policy, policy_of

EXTENSION = "atelier"
CONNECTIONS = 20  # of one process to the state server, however many requests and watchers it has
POOL_WAIT_SECONDS = 2.4  # a crowd takes turns at the connections; `api.deadline` bounds the whole

log = get_logger()


@dataclass(frozen=True)
class Services:
    """Everything behind the views."""

    settings: Settings
    durability: Durability
    state: redis.Redis
    queue: JobQueue
    bulk: Bulk
    operator: Operator
    owners: Owners
    events: Events
    live: Live
    storage: Storage
    uploads: Uploads
    keys: RememberedKeys
    catalogs: FollowedCatalog
    policy: Policy
    hub: Hub
    home: HomeCap
    listeners: tuple[EventsListener, LiveListener]
    webhook_allow: Allow
    downloader: Outbound
    endpoints: Endpoints
    outbox: Outbox
    sender: Sender
    rescuer: Rescuer
    dispatcher: Dispatcher
    collector: Collector
    doorbell: LateDoorbell

    @property
    def catalog(self) -> Catalog:
        """The models as the catalog's files say now."""
        return self.catalogs.now()

    def start(self) -> None:
        """Start what runs beside the requests."""
        for listener in self.listeners:
            listener.start()
        self.rescuer.start()
        self.dispatcher.start()
        self.collector.start()
        self.doorbell.start()
        self.home.start()

    def stop(self) -> None:
        """Let every watcher go, and end what `start` started."""
        self.hub.close()
        self.rescuer.stop()
        self.dispatcher.stop()
        self.collector.stop()
        self.doorbell.stop()
        self.home.stop()
        for listener in self.listeners:
            listener.stop()


def services() -> Services:
    """Of the application that serves this request."""
    found: Services = current_app.extensions[EXTENSION]
    return found


def build_services(settings: Settings, durability: Durability | None = None) -> Services:
    """Connect everything. NotDurable or StateUnavailable when the state server will not do; with its
    `durability` known it is not asked, and need not be there yet.
    """
    state = connect(
        settings.state_address, name="atelier-api", max_connections=CONNECTIONS, wait=POOL_WAIT_SECONDS
    )
    broker = connect(settings.broker_address, timeout=0.5, retries=0, decode=False, name="atelier-api")
    doorbell = LateDoorbell(settings)
    catalogs = FollowedCatalog(lambda: settings.catalog_files, partial(_take, doorbell))
    catalogs.now()  # what is wrong with the catalog is told at start
    durability = durability or check_durable(state, settings.durability)
    storage = open_storage(settings)
    limits = Limits.from_settings(settings)
    queue = JobQueue(
        state,
        limits=limits,
        ring=doorbell.ring,
        durability=durability,
        archive=Archive(storage),
    )
    hub, keys = Hub(settings.max_watchers), RememberedKeys(state)
    uploads = Uploads(
        state,
        expires_seconds=settings.upload_expires_seconds,
        owner_bytes=settings.max_stored_upload_bytes_per_owner,
    )
    webhook_allow = Allow.parse(settings.webhook_allow)
    endpoints, outbox = Endpoints(state, durability), Outbox(state, durability)
    sender = Sender(endpoints, Outbound(webhook_allow, timeout_seconds=settings.webhook_timeout_seconds))
    return Services(
        settings=settings,
        durability=durability,
        state=state,
        queue=queue,
        bulk=Bulk(state, queue),
        operator=Operator(state, limits=limits, ring=doorbell.ring, durability=durability),
        owners=Owners(state, limits=limits, ring=doorbell.ring, durability=durability),
        events=Events(state),
        live=Live(broker),
        storage=storage,
        uploads=uploads,
        keys=keys,
        catalogs=catalogs,
        policy=policy_of(settings),
        hub=hub,
        home=HomeCap(settings),
        listeners=(
            EventsListener(connect(settings.state_address, name="atelier-api-events"), hub, keys),
            LiveListener(connect(settings.broker_address, decode=False, name="atelier-api-live"), hub),
        ),
        webhook_allow=webhook_allow,
        downloader=Outbound(Allow.parse(settings.input_url_allow)),
        endpoints=endpoints,
        outbox=outbox,
        sender=sender,
        rescuer=Rescuer(queue, settings.tick_seconds),
        dispatcher=Dispatcher(outbox, sender),
        collector=Collector(queue, uploads, storage, settings.records_keep_seconds),
        doorbell=doorbell,
    )


def _take(doorbell: LateDoorbell, catalog: Catalog) -> None:
    """Go by a catalog that was just read."""
    doorbell.know(catalog.queues())
    for problem in catalog.problems:
        log.warning("A row of the catalog was left out", action="catalog.problem", problem=str(problem))
