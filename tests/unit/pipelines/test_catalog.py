"""The catalog: rows, overlays, limits, broken files, and how a request is resolved."""

import hashlib
import subprocess
import sys

import pytest

from pipelines.catalog import BUILT_IN, Catalog, digest_folder
from pipelines.errors import EngineError, InvalidInputs, ModelUnavailable, UnknownKind, UnknownModel
from pipelines.layouts import ARCHITECTURES, PIPELINES
from pipelines.models import Model
from tests.weights import safetensors

ROW = """
[[model]]
name = "me/fox"
family = "stable_diffusion"
kinds = ["text-to-image", "image-to-image"]
weights = "fox"
queue = "gpu-80g"
"""


@pytest.fixture
def load(tmp_path):
    def load(*texts):
        files = [tmp_path / f"{number}.toml" for number in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text)
        return Catalog.load(files)

    return load


def test_the_built_in_rows_are_sound():
    catalog = Catalog.load()

    assert catalog.problems == ()
    assert catalog.models.keys() >= {"house/scenes", "house/tales"}
    assert {name.partition("/")[0] for name in catalog.models} == {"house"}
    assert all(model.licence == "Apache-2.0" for model in catalog.models.values())
    assert set(catalog.queues()) <= {"image", "video", "music", "text", "code"}
    assert catalog.get("house/scenes").weights == BUILT_IN.parent / "house" / "scenes"


def test_models_that_can_be_pulled_are_known_and_not_offered():
    catalog = Catalog.load()

    assert len(catalog.not_offered) >= 25
    assert all(
        model.hub and not model.weights and not model.revision for model in catalog.not_offered.values()
    )
    assert all(model.licence_class != "unknown" for model in catalog.not_offered.values())
    with pytest.raises(UnknownModel, match=r"not been pulled; `atelier models pull qwen/qwen3-4b`"):
        catalog.resolve("text", "qwen/qwen3-4b", {"prompt": "a"})
    assert {model.family for model in catalog.not_offered.values()} <= {
        *(layout.family for layout in PIPELINES.values()),
        *(layout.family for layout in ARCHITECTURES.values()),
    }


def test_where_the_weights_are_makes_a_row_of_the_hub_an_offer(load):
    row = '[[model]]\nname = "qwen/qwen3-4b"\nweights = "qwen"'
    assert "qwen/qwen3-4b" in load(row).models

    unaccepted = row.replace("qwen/qwen3-4b", "facebook/musicgen-small")
    model = load(unaccepted).not_offered["facebook/musicgen-small"]
    assert "models accept facebook/musicgen-small" in model.why_not_offered
    with pytest.raises(ModelUnavailable, match="not for commercial use"):
        model.check_weights()
    assert "facebook/musicgen-small" in load(unaccepted + "\nlicence_accepted = true").models


@pytest.mark.parametrize(
    "place", ["", 'hub = "../etc"', 'hub = "fox"', 'url = "ftp://x"', 'url = "http://a:b@c"']
)
def test_a_row_says_where_the_model_is(load, place):
    (problem,) = load(ROW.replace('weights = "fox"', place)).problems
    assert problem.row == "me/fox"


def test_a_server_needs_no_weights(load):
    model = load(ROW.replace('weights = "fox"', 'url = "http://127.0.0.1:8001/v1"')).get("me/fox")
    assert model.is_here()
    model.check_weights()


LORA = """
[[lora]]
name = "ink"
models = ["me/fox", "me/not-here"]
weights = "ink.safetensors"
"""


def test_loras_are_asked_for_by_name(load, tmp_path):
    catalog = load(ROW + LORA)
    model = catalog.get("me/fox")
    asked = {"prompt": "a", "loras": [{"name": "ink", "scale": 0.5}]}

    assert catalog.problems == ()
    assert model.loras["ink"].weights == tmp_path / "ink.safetensors"
    assert Model.model_validate(model.model_dump(mode="json")) == model, "as it reaches the engine"
    assert catalog.resolve("text-to-image", "me/fox", asked).inputs.loras[0].name == "ink"
    with pytest.raises(InvalidInputs, match="has no LoRA 'ink'; it has none") as refused:
        catalog.resolve("text-to-image", "house/scenes", asked)
    assert [problem.pointer for problem in refused.value.problems] == ["/inputs/loras/0/name"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("ink.safetensors", "ink.bin"), "must be a .safetensors file"),
        (('models = ["me/fox", "me/not-here"]', "models = []"), "models"),
        (('"ink"', '"../ink"'), "name"),
    ],
)
def test_a_broken_lora_is_told_and_the_models_load(load, change, complaint):
    catalog = load(ROW + LORA.replace(*change))

    (problem,) = catalog.problems
    assert complaint in problem.detail
    assert problem.row.startswith("lora ")
    assert catalog.get("me/fox").loras == {}


def test_a_lora_is_not_a_field_of_a_model(load):
    (problem,) = load(ROW + "loras = {}").problems
    assert "[[lora]] table" in problem.detail


def test_weights_stand_beside_the_file_that_names_them(load, tmp_path):
    assert load(ROW).get("me/fox").weights == tmp_path / "fox"
    assert load(ROW.replace('"fox"', '"/models/fox"')).get("me/fox").weights.as_posix() == "/models/fox"


def test_an_operators_row_overrides_key_by_key(load):
    catalog = load(
        '[[model]]\nname = "house/scenes"\nlimits = { steps = { max = 10 } }\ndefaults = { steps = 8 }'
    )

    model = catalog.get("house/scenes")
    assert catalog.problems == ()
    assert model.defaults["steps"] == 8
    assert model.defaults["width"] == 64
    assert model.weights == BUILT_IN.parent / "house" / "scenes"
    with pytest.raises(InvalidInputs, match="at most 10"):
        catalog.resolve("text-to-image", None, {"prompt": "a", "steps": 11})


def test_a_model_can_be_taken_out(load):
    assert "house/scenes" not in load('[[model]]\nname = "house/scenes"\nenabled = false').models


def test_the_last_row_that_says_so_is_the_default(load):
    assert load(ROW).default_for("text-to-image").name == "house/scenes"
    assert load(ROW + 'default_for = ["text-to-image"]').default_for("text-to-image").name == "me/fox"
    assert load(ROW + 'default_for = ["text-to-image"]').default_for("image-to-image").name == "house/scenes"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ('family = ""', "family"),
        ("kinds = []", "kinds"),
        ('kinds = ["smell"]', "no kind 'smell'"),
        ("weights = 5", "weights"),
        ('weights = ""', "must name a place"),
        ('queue = "a b"', "queue"),
        ('colour = "red"', "colour"),
        ("memory_bytes = -1", "memory_bytes"),
        ("seconds_per_unit = nan", "seconds_per_unit"),
        ('default_for = ["text"]', "does not do: text"),
        ("limits = { colour = { max = 1 } }", "no field colour"),
        ("limits = { steps = { biggest = 1 } }", "biggest"),
        ("limits = { steps = {} }", "sets no limit"),
        ("defaults = { steps = 0 }", "/inputs/steps"),
        ("defaults = { steps = 9 }\nlimits = { steps = { max = 8 } }", "at most 8"),
        ("limits = { width = { only = [64] } }", "takes only 64"),
        ("limits = { width = { max_length = 4 } }", "goes with a text"),
        ("limits = { prompt = { max = 200 } }\ndefaults = { prompt = 'x' }", "go with a number"),
    ],
)
def test_a_broken_row_is_told_and_the_others_load(load, change, complaint):
    key = change.split(" ")[0]
    lines = [line for line in ROW.strip().splitlines() if not line.startswith(f"{key} =")]

    catalog = load("\n".join([*lines, change, ROW.replace("me/fox", "me/owl")]))

    (problem,) = catalog.problems
    assert complaint in problem.detail
    assert (problem.row, problem.file.name) == ("me/fox", "0.toml")
    assert str(problem).startswith(f"{problem.file}: me/fox: ")
    assert list(catalog.models) == [*Catalog.load().models, "me/owl"]


@pytest.mark.parametrize("name", ["fox", "../fox", "me/../fox", "Me/Fox", "me/fox/x", "/fox", ""])
def test_a_name_is_maker_and_model(load, name):
    (problem,) = load(ROW.replace("me/fox", name)).problems
    assert "name" in problem.detail


@pytest.mark.parametrize(
    "text", ["[[model", "models = 3", "model = 3", "[model]\nname = 'a/b'", "x = '\\ud800'"]
)
def test_a_broken_file_is_told_and_the_others_load(load, text):
    catalog = load(text, ROW)

    assert [(problem.file.name, problem.row) for problem in catalog.problems] == [("0.toml", "")]
    assert "me/fox" in catalog.models


def test_a_file_that_is_not_there_is_told(tmp_path):
    (problem,) = Catalog.load([tmp_path / "none.toml"]).problems
    assert "none.toml" in str(problem)


def test_a_broken_override_leaves_the_row_as_it_was(load):
    catalog = load('[[model]]\nname = "house/scenes"\ndefaults = { steps = 0 }')

    assert [problem.row for problem in catalog.problems] == ["house/scenes"]
    assert catalog.get("house/scenes").defaults["steps"] == 25


def test_a_request_is_filled_in_by_the_model_then_by_the_kind(load):
    catalog = load(ROW + "defaults = { width = 256, strength = 0.9 }")

    resolved = catalog.resolve("text-to-image", "me/fox", {"prompt": "a", "seed": 7, "n": 2})

    assert resolved.inputs.as_json() == {
        "prompt": "a",
        "negative_prompt": "",
        "seed": 7,
        "n": 2,
        "width": 256,
        "height": 512,
        "steps": 30,
        "guidance": 7.5,
        "scheduler": None,
        "loras": [],
        "format": "png",
    }
    assert resolved.cost == pytest.approx(2 * 30 * 256 * 512 / 1e6 * 0.1)


@pytest.mark.parametrize("raw", [{"prompt": "a"}, {"prompt": "a", "seed": None}])
def test_a_seed_is_chosen_where_none_is_given(raw):
    catalog = Catalog.load()

    seeds = {catalog.resolve("text-to-image", None, raw).inputs.seed for _ in range(5)}

    assert len(seeds) == 5
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert catalog.resolve("text-to-image", None, raw).seed_chosen
    assert not catalog.resolve("text-to-image", None, {**raw, "seed": 0}).seed_chosen


def test_what_cannot_be_resolved():
    catalog = Catalog.load()
    with pytest.raises(UnknownKind):
        catalog.resolve("text-to-smell", None, {})
    with pytest.raises(UnknownModel, match="house/scenes"):
        catalog.resolve("text", "me/nothing", {})
    with pytest.raises(UnknownModel, match="does not do text-to-image") as caught:
        catalog.resolve("text-to-image", "house/tales", {})
    assert caught.value.problems[0].pointer == "/model"
    with pytest.raises(InvalidInputs) as invalid:
        catalog.resolve("text-to-image", None, {"prompt": "a", "width": 128, "steps": 101})
    assert [problem.pointer for problem in invalid.value.problems] == ["/inputs/width", "/inputs/steps"]


def test_no_model_for_a_kind_is_told(load):
    off = "\n".join(
        f'[[model]]\nname = "{name}"\nenabled = false' for name in ("house/scenes", "house/tales")
    )
    with pytest.raises(UnknownModel, match="no model does text"):
        load(off).resolve("text", None, {"prompt": "a"})


def test_the_schema_of_a_model_is_narrower():
    schema = Catalog.load().get("house/scenes").schema_for("text-to-image")

    assert schema["properties"]["width"]["enum"] == [64]
    assert schema["properties"]["width"]["default"] == 64
    assert schema["properties"]["steps"]["maximum"] == 100
    assert schema["properties"]["prompt"]["maxLength"] == 300
    assert "strength" not in schema["properties"]


def test_weights_are_checked_by_digest(load, tmp_path):
    folder = tmp_path / "fox"
    with pytest.raises(ModelUnavailable, match="not at"):
        load(ROW).get("me/fox").check_weights()

    (folder / "unet").mkdir(parents=True)
    (folder / "README.md").write_text("no weights yet")
    assert not load(ROW).get("me/fox").is_here()
    (folder / "unet" / "config.json").write_text("{}")
    (folder / ".cache").write_text("left out")
    model = load(ROW + f'sha256 = "{digest_folder(folder)}"').get("me/fox")
    model.check_weights()
    assert model.is_here()

    (folder / "unet" / "config.json").write_text("{ }")
    with pytest.raises(ModelUnavailable, match="not the ones"):
        model.check_weights()


def test_a_digest_can_be_had_by_hand(tmp_path):
    for name in ("b.json", "a/x.json", "a.json", "B.json", "README.md", ".hidden", "a/.cache/y"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    page = (BUILT_IN.parents[1] / "docs" / "models.md").read_text()
    by_hand = next(line for line in page.splitlines() if line.startswith("cd FOLDER && ")).removeprefix(
        "cd FOLDER && "
    )

    shell = subprocess.run(["bash", "-c", by_hand], cwd=tmp_path, capture_output=True, text=True, check=True)
    module = subprocess.run(
        [sys.executable, "-m", "pipelines.models", tmp_path], capture_output=True, text=True, check=True
    )

    assert shell.stdout.split()[0] == module.stdout.strip() == digest_folder(tmp_path)


def test_a_lora_whose_file_is_not_whole_fails_the_requests_that_name_it(load, tmp_path):
    file = tmp_path / "ink.safetensors"
    digest = hashlib.sha256(safetensors()).hexdigest()
    lora = load(ROW + LORA + f'sha256 = "{digest}"').get("me/fox").loras["ink"]

    for content, complaint in {
        None: "missing",
        safetensors()[:-1]: "not whole",
        safetensors(9): "not the one stated",
    }.items():
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(EngineError, match=complaint):
            lora.check()
    file.write_bytes(safetensors())
    lora.check()
