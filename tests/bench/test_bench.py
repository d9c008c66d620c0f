"""The benchmark itself runs; its figures are for people to read, not for a test to judge."""

import json

import pytest

from tests.bench.__main__ import main


def test_measures_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--jobs", "3", "--json"]) == 0

    figures = json.loads(capsys.readouterr().out)
    assert figures["alone_ratio"] > 0
    assert figures["atelier"]["per_second"] > 0
    assert figures["celery"]["per_second"] > 0
