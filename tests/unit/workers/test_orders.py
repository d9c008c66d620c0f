from pathlib import Path

import pytest

from pipelines.catalog import Catalog
from pipelines.kinds import parse_inputs
from tests.unit.workers.jobs import a_job
from workers.attempt import LiveAttempt
from workers.drain import Drain
from workers.orders import request_of


@pytest.mark.parametrize("chosen", [True, False])
def test_a_seed_that_was_given_must_repeat(tmp_path: Path, fake_catalog: Catalog, chosen: bool) -> None:
    attempt = LiveAttempt(a_job(seed_chosen=chosen), "a" * 32, tmp_path, Drain(60))
    attempt.model = fake_catalog.get("test/fake")
    attempt.inputs = parse_inputs(attempt.job.kind, attempt.job.inputs)

    assert request_of(attempt)["repeatable"] is not chosen
