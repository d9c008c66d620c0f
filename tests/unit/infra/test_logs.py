"""Log records: one JSON object a line, an action code in each, and nobody's prompt in any."""

import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra import logs
from infra.settings import Settings

ROOT = Path(__file__).parents[3]
Read = Callable[[], list[dict[str, Any]]]
log = logs.get_logger()  # as modules do it: before anything is configured


pytestmark = pytest.mark.usefixtures("own_logging")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """The records written so far."""
    stream = io.StringIO()  # capsys would put another file in its place after the fixtures have run
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure(Settings(), process="api")
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_has_its_fields_in_order(read: Read) -> None:
    log.info("The attempt has ended", action="attempt.ended", outcome="succeeded")
    (record,) = read()
    assert list(record) == ["time", "level", "process", "pid", "action", "message", "outcome"]
    assert (record["level"], record["process"], record["action"]) == ("info", "api", "attempt.ended")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", record["time"])


def test_the_jobs_context_is_in_each_record_of_the_block(read: Read) -> None:
    with logs.about(job_id="job_1", kind="text"):
        log.info("One", action="a.b")
        logging.getLogger("celery.worker").warning("Two")
    log.info("Three", action="a.b")
    assert [record.get("job_id") for record in read()] == ["job_1", "job_1", None]


def test_records_of_other_libraries_take_the_same_road(read: Read) -> None:
    logging.getLogger("celery.worker").warning("lost %s", "it")
    (record,) = read()
    assert (record["action"], record["message"], record["level"]) == ("celery.worker", "lost it", "warning")


def test_a_prompt_is_cut_out_wherever_it_stands(read: Read) -> None:
    secret = "my birthday"
    with logs.about(inputs={"steps": 1, "note": secret}):
        log.info("One", action="a.b", prompt=secret, job={"list": [{"messages": [secret]}]}, api_key=secret)
        logging.getLogger("other").warning("Two", extra={"prompt": secret})
    text = json.dumps(read())
    assert secret not in text
    assert logs.HIDDEN in text


def test_an_exception_has_its_traceback(read: Read) -> None:
    try:
        raise ValueError("why")
    except ValueError:
        log.exception("It broke", action="a.b")
    (record,) = read()
    assert "ValueError: why" in record["exception"]
    assert record["level"] == "error"


def test_warnings_are_records_too(read: Read) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    (record,) = read()
    assert record["action"] == "py.warnings"


def test_below_the_level_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Settings(log_level="warning"), process="api")
    log.info("One", action="a.b")
    logging.getLogger("kombu").info("Two")
    assert capsys.readouterr().err == ""


def test_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Settings(log_format="console"), process="api")
    log.info("The attempt has ended", action="attempt.ended")
    assert "The attempt has ended" in capsys.readouterr().err


def test_a_misspelt_setting_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATELIER_PROT", "8001")
    logs.configure(Settings(), process="api")
    record = json.loads(capsys.readouterr().err)
    assert (record["action"], record["variable"]) == ("settings.unknown", "ATELIER_PROT")


def test_celery_leaves_the_logging_alone() -> None:
    script = (
        "import logging\n"
        "from infra import logs; from infra.broker import make_celery; from infra.settings import Settings\n"
        "logs.configure(Settings(), process='worker')\n"
        "make_celery(Settings(), ['text']).log.setup(loglevel='INFO')\n"
        "logging.getLogger('celery.worker').warning('hello')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert json.loads(done.stderr)["message"] == "hello"


def actions() -> set[str]:
    """Every action code in the source."""
    sources = [
        path for package in ("infra", "api", "workers", "atelier") for path in (ROOT / package).rglob("*.py")
    ]
    codes = {code for path in sources for code in re.findall(r"\baction=\"([^\"]+)\"", path.read_text())}
    return codes - {"noun.verb", "store_true"}  # the docstring of get_logger, and argparse


def test_every_action_is_explained() -> None:
    explained = set(
        re.findall(r"^\| `([a-z_]+\.[a-z_]+)`", (ROOT / "docs/logs.md").read_text(), re.MULTILINE)
    )
    assert actions() - explained == set(), "add these to docs/logs.md"
    assert explained - actions() == set(), "these are in docs/logs.md only"


def test_every_action_is_a_noun_and_a_verb() -> None:
    assert [code for code in actions() if not re.fullmatch(r"[a-z_]+\.[a-z_]+", code)] == []
