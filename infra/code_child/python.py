"""Python: the code is executed, then each test. Imported before the process is confined."""

# What code may want to import. It can load nothing else: no file can be opened any more.
import bisect  # noqa: F401
import builtins
import collections  # noqa: F401
import copy  # noqa: F401
import dataclasses  # noqa: F401
import datetime  # noqa: F401
import decimal  # noqa: F401
import enum  # noqa: F401
import fractions  # noqa: F401
import functools  # noqa: F401
import heapq  # noqa: F401
import itertools  # noqa: F401
import json  # noqa: F401
import math  # noqa: F401
import operator  # noqa: F401
import random  # noqa: F401
import re  # noqa: F401
import statistics  # noqa: F401
import string  # noqa: F401
import textwrap  # noqa: F401
import typing  # noqa: F401
import unicodedata  # noqa: F401
from typing import Any


def run(code: str, tests: list[str]) -> list[bool]:
    """Which tests pass: expressions that are true, statements that raise nothing."""
    names: dict[str, Any] = {"__name__": "code", "__builtins__": builtins}
    try:
        exec(compile(code, "code", "exec"), names)  # noqa: S102 - that is what this process is for
    except BaseException:  # noqa: BLE001 - code may raise anything, SystemExit too
        return [False] * len(tests)
    return [_passes(test, names) for test in tests]


def _passes(test: str, names: dict[str, Any]) -> bool:
    try:
        try:
            expression = compile(test, "test", "eval")
        except SyntaxError:
            exec(compile(test, "test", "exec"), names)  # noqa: S102
            return True
        return bool(eval(expression, names))  # noqa: S307
    except BaseException:  # noqa: BLE001 - it may raise anything
        return False
