"""`python -m workers [--queues a,b] [--device auto|cpu|cuda:N|all|A,B]`: one worker, or one for each
device.
"""

import argparse
import signal
import sys

from infra import logs, metrics
from infra.crash_points import arm
from infra.errors import InfraError
from infra.settings import Settings, load_settings
from workers.devices import devices_for
from workers.fleet import Fleet
from workers.marks import marks_of
from workers.worker import run_worker


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM; the exit code."""
    try:
        settings = _settings(argv)
        logs.configure(settings, process="worker")
        metrics.configure(settings)
        arm(settings.crash_at)
        marks_of(settings)  # a credential that cannot be used ends the worker here, with its reason
        devices = devices_for(settings.device)
        return run_worker(settings, devices[0]) if len(devices) == 1 else Fleet(settings, devices).run()
    except InfraError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _settings(argv: list[str] | None) -> Settings:
    """The environment's settings, under what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument("--queues", help="queues to serve, separated by commas")
    parser.add_argument("--device", help="auto, cpu, cuda:N, all, or several with commas")
    given = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    return load_settings().model_copy(update=given)


if __name__ == "__main__":
    # Until it can drain: as the first process of a container it would not even end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.exit(main())
