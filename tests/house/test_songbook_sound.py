"""What the songbook's model gives to who asks for music: the sound and the score, from words to samples."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.base import Output, Request, load_pipeline
from pipelines.catalog import Catalog
from pipelines.music.hearing import instruments_of
from pipelines.music.mastering import loudness, true_peak
from pipelines.music.score import Score
from tests.families.trying import Told

SECONDS = 15.0
"""Of CPU that 20 seconds of music may take; they take about two."""


@pytest.fixture(scope="module", params=["house/songbook", "house/songbook-lstm"])
def band(request: pytest.FixtureRequest) -> Any:
    catalog = Catalog.load()
    return catalog, request.param, load_pipeline(catalog.get(request.param), "cpu")


def play(
    band: Any, kind: str = "text-to-music", midi: Path | None = None, **inputs: Any
) -> tuple[Output, float]:
    """The first output, and the CPU seconds that it took."""
    catalog, name, pipeline = band
    files = {"audio": midi} if midi else {}
    raw = {"seed": 11, **inputs, **({"audio": {"upload": "u"}} if midi else {})}
    began = time.process_time()
    asked = catalog.resolve(kind, name, raw).inputs
    [[piece]] = pipeline.run([Request("r", kind, asked, files)], Told())
    return piece, time.process_time() - began


def test_twenty_seconds_as_the_words_say_in_good_time(band: Any) -> None:
    piece, took = play(band, prompt="a slow sad waltz for flute and cello in D minor", duration_seconds=20)

    heard = piece.value.samples.T
    score = Score.from_midi(piece.value.score)
    assert took < SECONDS
    assert heard.shape == (2, 20 * 44_100)
    assert loudness(heard, 44_100) == pytest.approx(-14, abs=0.5)
    assert true_peak(heard) <= -0.99
    assert np.abs(heard[:, -441:]).max() < 1e-3
    assert (score.metre, instruments_of(score)) == ("3/4", {"flute", "cello"})
    assert piece.facts["key"] == "D minor"


def test_it_goes_on_from_its_own_score(band: Any, tmp_path: Path) -> None:
    begun, _ = play(band, prompt="a happy tune for piano and violin", duration_seconds=8)
    file = tmp_path / "begun.mid"
    file.write_bytes(begun.value.score)

    piece, _ = play(band, "continue-music", file, duration_seconds=8)

    before, after = Score.from_midi(begun.value.score), Score.from_midi(piece.value.score)
    assert after.bars > before.bars
    assert instruments_of(after) == instruments_of(before)
    old = {(note.start, note.pitch) for part in before.parts for note in part.notes}
    assert old <= {(note.start, note.pitch) for part in after.parts for note in part.notes}
