"""`atelier models pull` from a stand-in hub: whole, cut off, corrupt, on a full disk; and what it refuses."""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.catalog import Catalog
from tests.hub import REVISION, Hub
from tests.servers import clean_environment, wait_for
from tests.weights import safetensors

ROW = """
[[model]]
name = "me/fox"
family = "stable_diffusion"
kinds = ["text-to-image"]
hub = "maker/fox"
queue = "image"
licence = "CC-BY-NC-4.0"
licence_class = "{licence_class}"
"""

BIG = "unet/diffusion_pytorch_model.safetensors"

INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
}

FILES: dict[str, bytes] = {
    "model_index.json": json.dumps(INDEX).encode(),
    "scheduler/scheduler_config.json": b"{}",
    "tokenizer/vocab.json": b"{}",
    "tokenizer/merges.txt": b"a b",
    "text_encoder/config.json": b"{}",
    "text_encoder/model.safetensors": safetensors(100),
    "unet/config.json": b"{}",
    BIG: safetensors(300_000),
    "vae/config.json": b"{}",
    "vae/diffusion_pytorch_model.safetensors": safetensors(50),
    "LICENSE": b"Do no evil.",
}

LONG: dict[str, bytes] = {**FILES, BIG: safetensors(24_000_000)}
"""With a file of several of the pieces, of 10 MB, in which huggingface_hub writes."""

NOT_NEEDED: dict[str, bytes] = {
    "README.md": b"# Fox",
    "fox.ckpt": b"a pickle",
    "fox.safetensors": safetensors(7),
    "unet/diffusion_pytorch_model.bin": b"a pickle",
    "unet/diffusion_pytorch_model.fp16.safetensors": safetensors(8),
    "safety_checker/model.safetensors": safetensors(9),
    "handler.py": b"import os",
}


class Home:
    """A home whose command talks to a stand-in hub."""

    def __init__(self, folder: Path, hub: Hub) -> None:
        self.folder = folder
        self.hub = hub
        self.weights = folder / "models" / "me" / "fox" / REVISION[:12]
        folder.mkdir()
        self.say()

    def say(self, licence_class: str = "open", more: str = "") -> None:
        """Write the row of the operator."""
        (self.folder / "models.toml").write_text(ROW.format(licence_class=licence_class) + more)

    def models(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """`atelier models`, started."""
        return self.start(sys.executable, "-m", "atelier", "models", *arguments, **options)

    def start(self, *command: str, **options: Any) -> subprocess.Popen[str]:
        environment = {
            **clean_environment(),
            "ATELIER_HOME": str(self.folder),
            "HF_ENDPOINT": self.hub.url,
            "HF_HOME": str(self.folder / "hf"),
        }
        return subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, *arguments: str, **options: Any) -> tuple[int, str]:
        """Its exit code, and all that it printed."""
        return self.finish(self.models(*arguments, **options))

    def finish(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        out, err = process.communicate(timeout=120)
        return process.returncode, out + err

    def kill(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        process.communicate()

    def catalog(self) -> Catalog:
        files = [self.folder / "models.toml", self.folder / "models" / "pulled.toml"]
        return Catalog.load([file for file in files if file.exists()])

    def part(self) -> Path:
        """Where the big file is while it has not come whole."""
        return self.folder / "models" / ".pulling" / "me--fox" / REVISION / (BIG + ".part")

    def is_whole(self) -> bool:
        held = self.hub.repositories["maker/fox"]
        return all((self.weights / name).read_bytes() == held[name] for name in FILES)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub(repositories={"maker/fox": {**FILES, **NOT_NEEDED}}).serving() as serving:
        yield serving


@pytest.fixture
def home(tmp_path: Path, hub: Hub) -> Home:
    return Home(tmp_path / "home", hub)


def test_what_is_pulled_is_what_the_model_needs_and_is_offered_from_then_on(home: Home, hub: Hub) -> None:
    assert "me/fox" in home.catalog().not_offered

    code, said = home.run("pull", "me/fox")

    assert code == 0, said
    assert f"revision {REVISION}" in said
    assert home.is_whole()
    assert {name for name, _ in hub.asked} == set(FILES)
    model = home.catalog().get("me/fox")
    model.check_weights()
    assert (model.revision, model.memory_bytes) == (REVISION, 2 * (300_000 + 100 + 50))
    assert not (home.folder / "models" / ".pulling" / "me--fox").exists()
    sums = subprocess.run(
        ["sha256sum", "--check", "--strict", ".sha256sums"],
        cwd=home.weights,
        capture_output=True,
        check=False,
    )
    assert sums.returncode == 0


def test_killed_half_way_it_is_not_offered_and_goes_on_where_it_was(home: Home, hub: Hub) -> None:
    # Given a pull that is killed when half of the largest file has come
    hub.repositories["maker/fox"] = LONG
    hub.hold[BIG] = 21_000_000
    process = home.models("pull", "me/fox")
    wait_for(lambda: home.part().is_file() and home.part().stat().st_size > 0, 60)
    home.kill(process)
    there = home.part().stat().st_size

    # then nothing of it is offered
    assert "me/fox" in home.catalog().not_offered
    assert not home.weights.exists()

    # and when it is pulled again, only the rest of that file, and no other, is asked for
    del hub.hold[BIG]
    hub.asked.clear()
    code, said = home.run("pull", "me/fox")
    assert code == 0, said
    assert home.is_whole()
    assert hub.asked == [(BIG, f"bytes={there}-")]


def test_a_connection_that_drops_is_taken_up_again(home: Home, hub: Hub) -> None:
    hub.repositories["maker/fox"] = LONG
    hub.cut[BIG] = [21_000_000]

    code, said = home.run("pull", "me/fox")

    assert code == 0, said
    assert home.is_whole()
    first, second = hub.bytes_asked(BIG)
    assert first == ""
    assert int(second.removeprefix("bytes=").removesuffix("-")) >= 10_000_000


@pytest.mark.parametrize("name", [BIG, "tokenizer/merges.txt"])
def test_bytes_that_come_wrong_once_are_fetched_again(home: Home, hub: Hub, name: str) -> None:
    hub.spoil[name] = 1

    code, said = home.run("pull", "me/fox")

    assert code == 0, said
    assert home.is_whole()
    assert hub.bytes_asked(name) == ["", ""]


def test_bytes_that_are_wrong_each_time_end_it(home: Home, hub: Hub) -> None:
    hub.spoil[BIG] = 9

    code, said = home.run("pull", "me/fox")

    assert code == 3
    assert f"{BIG} came 2 times with another digest" in said
    assert "me/fox" in home.catalog().not_offered
    assert not home.part().exists()


def test_a_disk_that_fills_up_is_told_and_what_has_come_stays(home: Home, hub: Hub) -> None:
    # Given a disk that takes no more than half of the largest file
    hub.repositories["maker/fox"] = LONG
    limit = 12_000_000
    code, said = home.run(
        "pull", "me/fox", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )

    assert code == 3
    assert "the disk is full" in said
    assert "me/fox" in home.catalog().not_offered

    # and when there is room, it goes on
    hub.asked.clear()
    code, said = home.run("pull", "me/fox")
    assert code == 0, said
    assert home.is_whole()
    assert hub.asked == [(BIG, f"bytes={limit}-")]


def test_too_little_room_is_told_before_anything_large_is_fetched(home: Home, hub: Hub) -> None:
    huge = {**FILES, BIG: b""}
    hub.repositories["maker/fox"] = huge
    described = hub.describe

    def boast(repository: str, revision: str) -> dict[str, Any] | None:
        said = described(repository, revision)
        assert said is not None
        for file in said["siblings"]:
            if file["rfilename"] == BIG:
                file["size"] = file["lfs"]["size"] = 1 << 60
        return said

    hub.describe = boast  # type: ignore[method-assign]
    code, said = home.run("pull", "me/fox")

    assert code == 3
    assert "1073741824" in said
    assert "GiB are free" in said
    assert [name for name, _ in hub.asked] == ["model_index.json"]


def test_a_second_pull_of_the_same_model_is_refused_while_the_first_runs(home: Home, hub: Hub) -> None:
    hub.hold[BIG] = 1
    first = home.models("pull", "me/fox")
    wait_for(home.part().is_file, 60)

    code, said = home.run("pull", "me/fox")

    assert code == 3
    assert "by another process" in said
    home.kill(first)


def test_a_licence_that_is_not_for_commercial_use_must_be_accepted_first(home: Home, hub: Hub) -> None:
    home.say(licence_class="non-commercial")

    code, said = home.run("pull", "me/fox")
    assert code == 1
    assert "CC-BY-NC-4.0" in said
    assert "`atelier models accept me/fox`" in said
    assert hub.asked == []

    assert home.run("accept", "me/fox")[0] == 0
    assert home.run("pull", "me/fox")[0] == 0
    assert home.catalog().get("me/fox").licence_accepted


UNFIT: list[tuple[dict[str, bytes | None], str]] = [
    (
        {BIG: None, "unet/diffusion_pytorch_model.bin": b"x"},
        "only diffusion_pytorch_model.bin, which may run",
    ),
    ({BIG: None, "unet/diffusion_pytorch_model.fp16.safetensors": b"x"}, "under other names only"),
    ({BIG: None}, "has no .safetensors file"),
    ({BIG: b"PK\3\4 and more of a ZIP"}, "ZIP archive, as torch saves pickles"),
    ({BIG: safetensors(50)[:-1]}, "not whole"),
    ({"unet/../../../evil.json": b"{}"}, "leads out of the folder"),
    ({"unet/config.json": b'{"auto_map": {"AutoModel": "evil.Model"}}'}, "needs its own code"),
    ({"model_index.json": json.dumps({**INDEX, "_class_name": ["pipeline", "Mine"]}).encode()}, "known:"),
    ({"model_index.json": json.dumps({**INDEX, "unet": ["evil", "UNet"]}).encode()}, "of diffusers"),
    ({"model_index.json": json.dumps({**INDEX, "_class_name": "FluxPipeline"}).encode()}, "family flux"),
    ({"model_index.json": None}, "neither model_index.json"),
    ({"vae/config.json": None}, "vae/config.json is missing"),
]
"""What is changed in the repository (None: taken out), and what is said of it."""

PULL_EACH = """
import sys
from atelier.models import HomeModels
from infra.settings import load_settings
from pipelines.errors import FolderRefused

for name in sys.argv[1:]:
    try:
        HomeModels(load_settings()).pull(name, lambda *told: None)
    except FolderRefused as refusal:
        print(refusal)
"""


def test_what_is_not_safe_or_not_whole_is_refused_with_the_reason(home: Home, hub: Hub) -> None:
    names = [f"me/unfit-{number}" for number in range(len(UNFIT))]
    rows = ROW.format(licence_class="open")
    home.say(
        more="".join(rows.replace("me/fox", name).replace("maker/fox", f"maker/{name[3:]}") for name in names)
    )
    for name, (changes, _) in zip(names, UNFIT, strict=True):
        changed = {**FILES, **changes}
        hub.repositories[f"maker/{name[3:]}"] = {
            file: content for file, content in changed.items() if content is not None
        }

    code, said = home.finish(home.start(sys.executable, "-c", PULL_EACH, *names))

    assert code == 0, said
    for line, (_, complaint) in zip(said.splitlines(), UNFIT, strict=True):
        assert complaint in line
    assert set(names) <= home.catalog().not_offered.keys()
    assert not (home.folder.parent / "evil.json").exists()


def test_what_is_not_what_the_row_says_is_refused(home: Home) -> None:
    home.say(more=f'sha256 = "{"0" * 64}"\n')

    code, said = home.run("pull", "me/fox")

    assert code == 3
    assert "is not what the row of me/fox says" in said
    assert "me/fox" in home.catalog().not_offered


def test_what_the_hub_does_not_have_and_a_hub_that_is_away(home: Home, hub: Hub) -> None:
    hub.repositories.clear()
    assert "the hub has no repository maker/fox" in home.run("pull", "me/fox")[1]
    assert home.run("pull", "no/such")[0] == 6
    assert "there is nowhere to pull it from" in home.run("pull", "house/scenes")[1]
    hub.port += 1
    code, said = home.run("pull", "me/fox")
    assert code == 3
    assert "cannot be reached" in said


def test_a_commit_that_would_lead_elsewhere_is_not_believed(home: Home, hub: Hub) -> None:
    elsewhere = home.folder.parent / "elsewhere"
    hub.commit = str(elsewhere)

    assert "does not say which commit" in home.run("pull", "me/fox")[1]
    assert not elsewhere.exists()


def test_a_newer_revision_takes_the_place_of_the_older(home: Home, hub: Hub) -> None:
    assert home.run("pull", "me/fox")[0] == 0
    older = home.weights.parent / "0123456789ab"
    home.weights.rename(older)
    listing = home.folder / "models" / "pulled.toml"
    listing.write_text(
        listing.read_text().replace(REVISION, "0123456789ab" + "0" * 28).replace(REVISION[:12], older.name)
    )

    hub.asked.clear()
    assert home.run("pull", "me/fox")[0] == 0

    assert home.catalog().get("me/fox").revision == REVISION
    assert home.is_whole()
    assert not older.exists()
    assert hub.asked == [("model_index.json", "")], "what has not changed is not fetched again"


def test_verify_names_what_has_changed_and_remove_deletes(home: Home) -> None:
    assert home.run("pull", "me/fox")[0] == 0
    assert home.run("verify", "me/fox")[0] == 0
    (home.weights / "unet" / "config.json").write_text('{"a": 1}')
    (home.weights / "tokenizer" / "merges.txt").unlink()
    (home.weights / "more.json").write_text("{}")

    code, said = home.run("verify", "me/fox")

    assert code == 1
    assert said.splitlines() == [
        "✗ me/fox: more.json was not pulled",
        "✗ me/fox: tokenizer/merges.txt is missing",
        "✗ me/fox: unet/config.json has changed",
    ]
    assert home.run("remove", "me/fox")[0] == 0
    assert not home.weights.parent.exists()
    assert "me/fox" in home.catalog().not_offered
