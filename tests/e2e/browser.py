"""A Chromium without a window that a test asks what a page shows, over its debugging pipe."""

import contextlib
import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.media.tools import program

SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-pipe",
    "--window-size=900,1400",
)
READ, WRITE = 3, 4
"""The file descriptors at which Chromium reads commands and writes answers, each ended by a NUL."""


class Page:
    """One tab."""

    def __init__(self, commands: Any, answers: Any) -> None:
        self._commands, self._answers = commands, answers
        self._numbers = itertools.count(1)
        self._session: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def open(self, url: str) -> None:
        """Go there, and wait until all pictures and the first frames of films have been loaded."""
        self._call("Page.enable")
        self._call("Page.navigate", url=url)
        self._until("Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        """What the expression gives, as JSON; a promise is waited for. AssertionError if it throws."""
        answer = self._call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def _call(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        self._commands.flush()
        while (answer := self._read()).get("id") != number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _until(self, event: str) -> None:
        while self._read().get("method") != event:
            pass

    def _read(self) -> dict[str, Any]:
        message = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            assert byte, "Chromium has ended"
            message += byte
        found: dict[str, Any] = json.loads(message)
        return found


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A tab of a Chromium with a profile of its own, which ends with it."""
    commands_out, commands_in = os.pipe()
    answers_out, answers_in = os.pipe()
    script = f'exec "$@" {READ}<&{commands_out} {WRITE}>&{answers_in}'
    process = subprocess.Popen(
        ["bash", "-c", script, "bash", program("chromium"), *SWITCHES, f"--user-data-dir={profile}"],
        pass_fds=(commands_out, answers_in),
        stderr=subprocess.DEVNULL,
    )
    os.close(commands_out)
    os.close(answers_in)
    with open(commands_in, "wb") as commands, open(answers_out, "rb") as answers:
        try:
            yield Page(commands, answers)
        finally:
            with contextlib.suppress(BrokenPipeError):  # it has ended by itself
                commands.write(b'{"id": 0, "method": "Browser.close"}\0')
                commands.flush()
            process.wait(20)
