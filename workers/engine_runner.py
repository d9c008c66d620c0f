"""The parent's orders, carried out one after the other in the engine's main thread."""

import sys
import time
import traceback
from contextlib import suppress
from typing import Any

from infra.crash_points import CrashPoint, crash_point
from pipelines.base import Request
from pipelines.errors import EngineError, OutOfMemory, PipelineError, Stopped
from pipelines.models import Model
from workers.engine_cache import NoRoom, PipelineCache
from workers.engine_errors import BROKEN_DEVICE, SPOILED, breaks_device, error_as_json, translate
from workers.engine_finish import Finisher
from workers.engine_run import Orders, Run
from workers.messages import NO_ROOM, Message, PipeClosed, Sender


class Runner:
    """Carries out the parent's orders, one after the other, in the main thread."""

    def __init__(self, sender: Sender, orders: Orders, cache: PipelineCache, finisher: Finisher) -> None:
        self._sender = sender
        self._orders = orders
        self._cache = cache
        self._finisher = finisher

    def obey(self, order: Message) -> None:
        """Carry out an order of any kind; raises PipeClosed only."""
        match order["is"]:
            case "load":
                self.load(order)
            case "unload":
                self._cache.unload(order["models"], "idle")
                self._sender.send("finished", **self._cache.report())
            case _:
                self.run(order)

    def load(self, order: Message) -> None:
        """Have a model ready that no request waits for, and tell the parent; raises PipeClosed only."""
        model = Model.model_validate(order["model"])
        try:
            if self._cache.find(model) is None:
                self._load(model, spare=True)
        except PipeClosed:
            raise
        except NoRoom as error:
            print(error, flush=True)
        except Exception as error:  # noqa: BLE001 - as in a run
            self._note(model, error)
            if breaks_device(error):
                sys.exit(BROKEN_DEVICE)
        self._sender.send("finished", model=model.name, **self._cache.report())

    def run(self, order: Message) -> None:
        """Run the order's requests and tell the parent how each ended; raises PipeClosed only."""
        model = Model.model_validate(order["model"])
        run = Run(self._sender, self._orders, order, self._finisher)
        try:
            self._run(model, run)
        except PipeClosed:
            raise
        except Exception as error:  # noqa: BLE001 - a family may raise anything; it is told and logged
            self._note(model, error)
            self._end(run, error)
        encoding = self._finisher.waiting
        self._sender.send("finished", model=model.name, encoding=encoding, **self._cache.report())

    def _end(self, run: Run, error: Exception) -> None:
        """Fail what is left of a run. Of several requests nobody knows which one it was: where they cannot be
        tried one by one here, the engine ends, and each is tried again alone."""
        if len(run.waiting) > 1 and (run.has_spoken or breaks_device(error)):
            sys.exit(SPOILED)
        run.fail_rest(translate(error))
        if breaks_device(error):
            sys.exit(BROKEN_DEVICE)

    def _note(self, model: Model, error: Exception) -> None:
        """Print an error for the log; after an unexpected one the pipeline may be in disorder, and goes."""
        if isinstance(error, PipelineError):
            print(f"{type(error).__name__}: {error}", flush=True)
            return
        traceback.print_exception(error)
        self._cache.drop(model.name)

    def _run(self, model: Model, run: Run) -> None:
        """All requests together; if that fails for a reason that may be one request's, each by itself."""
        if not self._is_over(model, run):
            while waiting := run.waiting:  # of texts, some may have joined one of these
                self._run_alone(model, run, waiting[0])
                if waiting[0] in run.waiting:
                    run.failed(waiting[0], EngineError("The model's family told no end of it."))

    def _is_over(self, model: Model, run: Run) -> bool:
        """Run all requests; False when it is worth trying them again, one by one. After a lack of memory no
        other model is loaded then."""
        running = False
        try:
            pipeline = self._cache.find(model) or self._load(model)
            running = True
            self._carry_out(model, pipeline, run, run.waiting)
        except Stopped:
            run.fail_rest(Stopped())
        except PipeClosed:
            raise
        except Exception as error:
            out_of_memory = isinstance(translate(error), OutOfMemory)
            worth_it = out_of_memory or (running and len(run.waiting) > 1)
            if run.has_spoken or breaks_device(error) or not worth_it:
                raise
            self._note(model, error)
        else:
            return True
        if not run.waiting:
            return True
        # Outside the handler, whose exception keeps the failed run's tensors alive.
        if out_of_memory:
            self._cache.clear()
        return False

    def _run_alone(self, model: Model, run: Run, request: Request) -> None:
        try:
            self._carry_out(model, self._cache.find(model) or self._load(model), run, [request])
        except Stopped:
            run.failed(request, Stopped())
        except PipeClosed:
            raise
        except Exception as error:
            if breaks_device(error) or request not in run.waiting:
                raise
            self._note(model, error)
            run.failed(request, translate(error))

    def _carry_out(self, model: Model, pipeline: Any, run: Run, requests: list[Request]) -> None:
        if not requests:
            return
        capabilities, kind = pipeline.capabilities, requests[0].kind
        self._sender.send("started", serves=kind in capabilities.serves, most=capabilities.most(kind))
        with self._cache.running(model):
            run.carry_out(pipeline, requests)

    def _load(self, model: Model, *, spare: bool = False) -> Any:
        """`spare`: nobody waits for it, so that it takes no other's place."""

        def tell(fraction: float) -> None:
            with suppress(PipeClosed):  # the process ends anyway
                self._sender.send("reading", model=model.name, fraction=fraction)

        began = time.monotonic()
        self._sender.send("loading", model=model.name)
        try:
            self._cache.prepare(model, spare=spare)
            pipeline = self._cache.load(model, tell)
        except Exception as error:
            told = {"type": NO_ROOM} if isinstance(error, NoRoom) else error_as_json(translate(error))
            self._sender.send("not_loaded", **{"detail": str(error), **told, "model": model.name})
            raise
        crash_point(CrashPoint.ENGINE_LOADED)
        seconds = round(time.monotonic() - began, 3)
        self._sender.send("loaded", model=model.name, seconds=seconds, **self._cache.report())
        return pipeline
