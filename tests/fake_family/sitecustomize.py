"""Imported by Python at its start when this folder is on PYTHONPATH: moves this process's wall clock, by as
many seconds as `WRONG_CLOCK_SECONDS` says. Only the wall clock: a host whose date is wrong counts rightly.
"""

import os
import time

if offset := float(os.environ.get("WRONG_CLOCK_SECONDS", "0")):
    _time, _time_ns = time.time, time.time_ns
    time.time = lambda: _time() + offset
    time.time_ns = lambda: _time_ns() + round(offset * 1e9)
