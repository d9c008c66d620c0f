"""Manifests as a verifier that is not ours reads them: c2pa's own."""

import json
import resource
from pathlib import Path

import c2pa
import pytest

from infra.settings import Settings
from pipelines import media
from pipelines.errors import TransientEngineError
from pipelines.outputs import File
from pipelines.provenance.credential import Credential
from pipelines.provenance.deployment import DeploymentMarks
from pipelines.provenance.manifest import GENERATED, GENERATION
from tests.provenance.conftest import PROVENANCE, Make

SIGNED = ("png", "webp", "jpeg", "mp4", "wav", "flac", "mp3")
UNSIGNED = ("webm", "ogg")


def read(file: File | Path, root: bytes = b"") -> dict:
    """The manifest store, as `c2pa` reports it; it must have one."""
    path = file if isinstance(file, Path) else file.path
    context = c2pa.Context.from_dict({"trust": {"user_anchors": root.decode()}} if root else {})
    with path.open("rb") as stream, c2pa.Reader(None, stream, None, context) as reader:
        return json.loads(reader.json())


def damaged(file: File, place: float = 0.5) -> Path:
    """A copy with one bit of its content changed."""
    data = bytearray(file.path.read_bytes())
    data[int(len(data) * place)] ^= 1
    copy = file.path.with_name("damaged" + file.path.suffix)
    copy.write_bytes(data)
    return copy


@pytest.mark.parametrize("form", SIGNED)
class TestSignedFormats:
    def test_a_verifier_accepts_it(self, make: Make, credential: Credential, form: str) -> None:
        file = make(form)
        assert read(file)["validation_state"] == "Valid"
        assert read(file, credential.root)["validation_state"] == "Trusted"

    def test_it_says_what_made_the_file(self, make: Make, form: str) -> None:
        store = read(make(form))
        active = store["manifests"][store["active_manifest"]]
        said = {each["label"]: each["data"] for each in active["assertions"]}

        assert active["claim_generator_info"][0]["name"] == "Atelier"
        [created] = said["c2pa.actions.v2"]["actions"]
        assert (created["action"], created["digitalSourceType"]) == ("c2pa.created", GENERATED)
        assert said[GENERATION] == {name: PROVENANCE[name] for name in ("kind", "model", "revision", "job")}

    def test_tampering_is_seen(self, make: Make, form: str) -> None:
        assert read(damaged(make(form), 0.6))["validation_state"] == "Invalid"

    def test_the_file_is_still_what_it_was(self, make: Make, form: str) -> None:
        marked, plain = make(form), make(form, DeploymentMarks(None, None))
        assert media.read_history(marked.path) == media.read_history(plain.path)
        assert marked.sample_sha256 == plain.sample_sha256
        assert plain.bytes < marked.bytes == marked.path.stat().st_size


@pytest.mark.parametrize("form", UNSIGNED)
def test_formats_without_room_for_a_manifest_stay_as_they_are(make: Make, form: str) -> None:
    assert make(form).sha256 == make(form, DeploymentMarks(None, None)).sha256


def test_the_prompt_is_not_signed(make: Make) -> None:
    assert PROVENANCE["prompt"] not in json.dumps(read(make("png")))


def test_without_manifests_the_bytes_are_the_same_again(make: Make) -> None:
    marks = DeploymentMarks(7, None)
    assert make("png", marks).sha256 == make("png", marks).sha256
    assert make("png").sha256 != make("png").sha256  # a manifest has an id of its own
    assert make("png").sample_sha256 == make("png").sample_sha256


def test_a_full_disk_is_an_error_that_may_pass(make: Make, credential: Credential) -> None:
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    file = make("png", DeploymentMarks(None, None))
    marks = DeploymentMarks(None, credential)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.bytes // 2, usual[1]))
    try:
        with pytest.raises(TransientEngineError, match="could not be written"):
            marks.on_file(file.path, file.media_type, PROVENANCE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


def test_the_settings_allow_every_number() -> None:
    from pipelines.provenance.code_word import NUMBERS

    assert Settings(watermark_number=NUMBERS - 1).watermark_number == NUMBERS - 1
    with pytest.raises(ValueError, match="less than or equal"):
        Settings(watermark_number=NUMBERS)
