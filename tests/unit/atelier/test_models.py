"""What `atelier models` changes in a home: rows added, accepted and removed; nothing else in its files."""

import json
from pathlib import Path

import pytest

from atelier.models import HomeModels
from infra.settings import Settings
from pipelines.errors import FolderRefused, LicenceNotAccepted, PullFailed, UnknownModel
from tests.weights import safetensors

OWN = """# mine
[[model]] # the first
name = "me/fox"
family = "causal_lm"
kinds = ["text"]
weights = "fox"
queue = "text"

[model.defaults]
max_tokens = 9

[[lora]]
name = "ink"
models = ["house/scenes"]
weights = "ink.safetensors"

[[model]]
name = "house/scenes"
default_for = []
# the end
"""


@pytest.fixture
def home(tmp_path: Path) -> HomeModels:
    (tmp_path / "models.toml").write_text(OWN)
    return HomeModels(Settings(home=tmp_path))


def text(home: HomeModels) -> str:
    return home.settings.places.models.read_text()


def test_a_row_is_taken_out_and_all_else_stays(home: HomeModels) -> None:
    assert home.remove("me/fox") is None

    assert text(home) == "# mine\n" + OWN[OWN.index("[[lora]]") :]
    with pytest.raises(UnknownModel):
        home.find("me/fox")


def test_the_last_row_is_taken_out(home: HomeModels) -> None:
    home.remove("house/scenes")
    assert text(home) == OWN[: OWN.rindex("[[model]]")]


@pytest.mark.parametrize("inline", ['title = """\n[[model]]\n"""', "title = '''\n[[lora]]\n'''"])
def test_a_file_that_a_program_cannot_change_safely_is_left_alone(home: HomeModels, inline: str) -> None:
    odd = OWN.replace('weights = "fox"', f'weights = "fox"\n{inline}')
    home.settings.places.models.write_text(odd)

    with pytest.raises(FolderRefused, match="by hand"):
        home.remove("me/fox")

    assert text(home) == odd


def test_a_model_that_comes_with_atelier_is_not_removed(home: HomeModels) -> None:
    with pytest.raises(FolderRefused, match="enabled = false"):
        home.remove("house/tales")
    with pytest.raises(UnknownModel):
        home.remove("no/such")


def test_the_rows_of_a_file_are_added_with_paths_that_hold_anywhere(home: HomeModels, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    file = folder / "rows.toml"
    file.write_text(
        OWN.replace("me/fox", "me/owl").replace('"ink"', '"pen"').replace("house/scenes", "me/cat", 1)
    )
    file.write_text(file.read_text().split('[[model]]\nname = "house/scenes"')[0])

    (added,) = home.add(file, None)

    assert (added.name, added.defaults) == ("me/owl", {"max_tokens": 9})
    assert home.find("me/owl") == added
    assert added.weights == folder / "fox"
    assert str(folder / "ink.safetensors") in text(home)
    assert text(home).startswith(OWN.rstrip())
    with pytest.raises(FolderRefused, match="me/owl already"):
        home.add(file, None)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("[[model", "Expected"),
        ('[[model]]\nname = "me/owl"', "family"),
        ("[other]\na = 1", "only"),
        (
            '[[model]]\nname = "me/owl"\nfamily = "fake"\nkinds = ["text"]\nweights = "w"\nqueue = "q"\n'
            "options = { x = inf }",
            "written",
        ),
        ('[[lora]]\nname = "x"\nmodels = ["me/fox"]\nweights = "x.bin"', "may run code"),
    ],
)
def test_a_file_with_a_bad_row_adds_nothing(
    home: HomeModels, tmp_path: Path, rows: str, complaint: str
) -> None:
    file = tmp_path / "rows.toml"
    file.write_text(rows)

    with pytest.raises(FolderRefused, match=complaint):
        home.add(file, None)

    assert text(home) == OWN


def test_a_licence_that_is_accepted_is_remembered(home: HomeModels) -> None:
    with pytest.raises(LicenceNotAccepted, match="atelier models accept facebook/musicgen-small"):
        home.pull("facebook/musicgen-small", lambda name, done, total: None)

    assert home.accept("facebook/musicgen-small").licence_accepted
    assert "not been pulled" in home.find("facebook/musicgen-small").why_not_offered
    assert home.settings.places.pulled.read_text().startswith("# Written by")
    assert text(home) == OWN


def test_what_has_no_repository_is_not_pulled(home: HomeModels) -> None:
    with pytest.raises(PullFailed, match="nowhere to pull it from"):
        home.pull("me/fox", lambda name, done, total: None)


def test_an_added_folder_is_verified_by_its_digest(home: HomeModels, tmp_path: Path) -> None:
    folder = tmp_path / "tales"
    folder.mkdir()
    config = {"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 64}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(safetensors())
    (folder / "tokenizer.json").write_text("{}")
    home.add(folder, "me/tales")
    read: list[str] = []
    assert home.verify("me/tales", read.append) == []
    assert read == ["config.json", "model.safetensors", "tokenizer.json"]

    (folder / "tokenizer.json").write_text("[]")
    (folder / "more.py").write_text("")

    assert home.verify("me/tales", read.append) == [
        "more.py is code; no code from a model's folder is run",
        "its files have not the digest of its row",
    ]
    assert home.verify("me/fox", read.append) == [f"there are no weights at {tmp_path / 'fox'}"]
    assert home.verify("facebook/musicgen-small", read.append) == ["it has no weights here"]
