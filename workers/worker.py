"""One worker: its parts put together, run, and ended in order. This process never loads torch."""

import secrets
import threading
import warnings

from celery.exceptions import CPendingDeprecationWarning
from redis import Redis

from infra.archive import Archive
from infra.broker import Doorbell, make_celery
from infra.connections import Durability, check_durable, check_server, connect
from infra.errors import StateUnavailable
from infra.jobs.answers import Limits, WorkerCard
from infra.jobs.live import Live
from infra.jobs.queue import JobQueue
from infra.jobs.rescuer import Rescuer
from infra.logs import get_logger
from infra.settings import Settings
from infra.storage import open_storage
from pipelines.safety import policy_of
from workers.beats import Beats
from workers.bell import Bell
from workers.claims import Claims
from workers.desk import Desk
from workers.drain import Drain
from workers.engine_client import Deadlines, Engine
from workers.exchange import Exchange
from workers.fetch import Fetcher
from workers.gate import WakingPipe, add_gate
from workers.giving_up import GivingUp
from workers.lifecycle import Lifecycle
from workers.loop import WorkLoop
from workers.metrics_server import serve_metrics
from workers.patience import persist
from workers.scratch import Scratch
from workers.shelf import Business, Shelf
from workers.store import Store
from workers.tasks import register_doorbell
from workers.trouble import StorageWatch, Trouble
from workers.upkeep import Upkeep
from workers.watchdog import Watchdog

log = get_logger()

FAILED = 1
"""Exit code after a bug of ours."""

FOR_EVER = float("inf")
ANSWER_SECONDS = 2.0  # for state server and broker to answer; each is asked twice


def run_worker(settings: Settings, device: str) -> int:
    """Work until SIGTERM; the exit code. Raises NotDurable or ServerTooOld for a state server that will not
    do.
    """
    state = connect(settings.state_address, timeout=ANSWER_SECONDS, name="atelier-worker")
    durability = persist(lambda: _accept(state, settings), FOR_EVER)
    with Scratch(settings.places.home / "work") as scratch:
        return Worker(settings, device, state, durability, scratch).run()


def _live(settings: Settings) -> Live:
    """Live progress is worth little a second later: one short try."""
    broker = connect(
        settings.broker_address, timeout=1.0, retries=0, decode=False, name="atelier-worker-live"
    )
    return Live(broker)


def _accept(state: Redis, settings: Settings) -> Durability:
    check_server(state)
    return check_durable(state, settings.durability)


class Worker:
    """The parts of one worker, for one device."""

    def __init__(
        self, settings: Settings, device: str, state: Redis, durability: Durability, scratch: Scratch
    ) -> None:
        self.id = f"worker_{secrets.token_hex(6)}"
        self._broken = False
        self._queues = settings.queue_names
        self._celery = make_celery(settings, self._queues)
        doorbell = Doorbell(self._celery)
        self._storage = open_storage(settings)
        self._queue = JobQueue(
            state,
            limits=Limits.from_settings(settings),
            ring=doorbell.ring,
            durability=durability,
            archive=Archive(self._storage),
        )
        pipe, desk = WakingPipe(), Desk()
        bell = Bell(on_rest=pipe.wake)
        self._drain = Drain(settings.drain_seconds, wake=(bell.ring, pipe.wake))
        shelf = self._shelf(settings, bell)
        self._business = Business(self.id, device, self._queues, shelf)
        self._engine = Engine(device, settings.model_memory, Deadlines.of(settings))
        trouble = Trouble()
        self._storage_watch = StorageWatch(self._storage, self.id, trouble, settings.storage_retry_seconds)
        lifecycle = self._lifecycle(settings, shelf, desk, scratch)
        self._rows = lifecycle.rows
        register_doorbell(self._celery, bell, doorbell)
        add_gate(self._celery, bell, pipe)
        self._loop = WorkLoop(
            claims=Claims(self._queue, self._card, desk, settings.batch_window_ms / 1000),
            engine=self._engine,
            lifecycle=lifecycle,
            bell=bell,
            drain=self._drain,
            trouble=trouble,
            storage=self._storage_watch,
            upkeep=Upkeep(
                self._engine,
                shelf,
                settings.preloaded,
                settings.idle_unload_seconds,
                lambda: self._drain.begun,
            ),
            seconds=settings.idle_claim_seconds,
        )
        self._beats = Beats(self._queue, desk, self._card, trouble, settings.beat_seconds)
        self._exchange = Exchange(self._queue, _live(settings), desk, settings.exchange_seconds)
        self._metrics_at = (settings.host, settings.worker_metrics_port)
        self._rescuer = Rescuer(self._queue, settings.tick_seconds)

    def run(self) -> int:
        """Work until the drain has ended; the exit code."""
        threading.excepthook = self._note_broken_thread
        self._drain.obey_signals()
        if self._metrics_at[1]:
            serve_metrics(*self._metrics_at)
        for thread in (self._rescuer, self._beats, self._exchange, self._loop):
            thread.start()
        log.info("The worker has started", action="worker.started", worker=self.id, queues=self._queues)
        code = self._serve_doorbells()
        self._drain.begin()
        log.info("The worker takes no more jobs", action="drain.begun", worker=self.id)
        self._loop.join()
        self._exchange.end()
        self._beats.end()
        self._rescuer.stop()
        self._leave()
        code = FAILED if self._broken else code
        log.info("The worker has ended", action="worker.ended", worker=self.id, code=code)
        return code

    def _note_broken_thread(self, broken: threading.ExceptHookArgs) -> None:
        """A bug has ended one of our threads. The others cannot do its work, so the process ends and is
        started again.
        """
        log.critical("A thread has broken", action="worker.broken", exc_info=broken.exc_value)
        self._broken = True
        self._drain.begin()

    def _shelf(self, settings: Settings, bell: Bell) -> Shelf:
        files = (*settings.own_catalog_files, settings.places.pulled)
        patience = settings.missing_model_seconds if settings.missing_models == "fail" else None
        return Shelf(files, self._queues, bell.ring, GivingUp(self._queue.workers, patience))

    def _lifecycle(self, settings: Settings, shelf: Shelf, desk: Desk, scratch: Scratch) -> Lifecycle:
        return Lifecycle(
            queue=self._queue,
            engine=self._engine,
            shelf=shelf,
            fetcher=Fetcher(self._queue, self._storage, settings.store_timeout_seconds),
            store=Store(self._storage, settings.store_timeout_seconds),
            scratch=scratch,
            desk=desk,
            drain=self._drain,
            watchdog=Watchdog(settings.store_timeout_seconds),
            storage_watch=self._storage_watch,
            policy=policy_of(settings),
            patience=settings.commit_patience_seconds,
        )

    def _card(self) -> WorkerCard:
        return self._business.card(self._engine.stock, self._rows)

    def _serve_doorbells(self) -> int:
        """Run Celery in this thread until it is told to stop; its exit code."""
        # Celery warns at each loss of the broker that a setting will get another default; we have set it.
        warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
        controller = self._celery.WorkController(
            hostname=f"{self.id}@{self._business.host}",
            queues=list(self._queues),
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        controller.start()
        return int(controller.exitcode or 0)

    def _leave(self) -> None:
        try:
            self._queue.leave(self.id)
        except StateUnavailable as error:  # it is then forgotten when its lease runs out
            log.warning("The worker could not take leave", action="worker.leave_failed", error=str(error))
