"""What files say of their origin, and that the same output gives the same bytes."""

from pathlib import Path

import av.logging
import pytest

from pipelines import media
from pipelines.media.metadata import history
from pipelines.outputs import File
from tests.media.samples import PROVENANCE, asked, every_form, picture

FORMS = {form: (output, inputs) for form, output, inputs in every_form()}


def test_every_output_score_and_preview_says_how_it_was_made(written: dict[str, dict[str, File]]) -> None:
    told = {
        f"{form} {suffix}": media.read_history(file.path)
        for form, files in written.items()
        for suffix, file in files.items()
        if file.role in ("output", "score", "preview")
    }
    expected = history(FORMS["png"][0], PROVENANCE)
    assert expected["prompt"] == PROVENANCE["prompt"]
    assert told == dict.fromkeys(told, expected)
    assert len(told) == 3 + 2 * 2 + 4 * 2


@pytest.mark.parametrize("form", FORMS)
def test_the_same_output_gives_the_same_bytes_and_another_job_the_same_sample(
    plain: dict[str, dict[str, File]], tmp_path: Path, form: str
) -> None:
    output, inputs = FORMS[form]
    first = list(plain[form].values())
    for name in "ab":
        (tmp_path / name).mkdir()

    again = media.write(output, tmp_path / "a", PROVENANCE, inputs)
    other = media.write(output, tmp_path / "b", {**PROVENANCE, "job": "job_" + "1" * 24}, inputs)

    assert [file.sha256 for file in first] == [file.sha256 for file in again]
    assert first[0].sha256 != other[0].sha256
    assert [file.sample_sha256 for file in first] == [file.sample_sha256 for file in other]


def test_x264_is_kept_from_the_code_that_writes_other_bytes_now_and_then(tmp_path: Path) -> None:
    """Where the processor has it; how it shows depends on what lay in the memory before."""
    output, inputs = FORMS["mp4"]
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        with av.logging.Capture() as told:
            media.write(output, tmp_path, PROVENANCE, inputs)
    finally:
        av.logging.set_level(level)

    (used,) = (text for _, source, text in told if source == "libx264" and "cpu capabilities" in text)
    assert "AVX512" not in used


def test_the_longest_prompts_fit_into_a_jpeg(tmp_path: Path) -> None:
    long = {"prompt": "🦊" * 4_000, "negative_prompt": '"' * 4_000}
    file = media.write(picture(), tmp_path, long, asked("jpeg"))[0]
    told = media.read_history(file.path)
    assert told is not None
    assert {name: told[name] for name in long} == long


@pytest.mark.parametrize(
    "data", [b"", b"MThd", b"MThd" + b"\0" * 10 + b"MTrk\0\0\0\xff\x00\xff\x01\xff", b"hello", b"GIF89a"]
)
def test_a_file_of_others_says_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    assert media.read_history(tmp_path / "x") is None


def test_a_picture_of_others_says_nothing(tmp_path: Path) -> None:
    for form in ("png", "webp", "jpeg", "gif"):
        picture().value.save(tmp_path / f"x.{form}")
        assert media.read_history(tmp_path / f"x.{form}") is None
