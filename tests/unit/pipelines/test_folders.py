"""Adding a model from a folder: what is written, and what is refused before anything is."""

import json

import pytest

from pipelines.catalog import Catalog, add_folder, digest_folder
from pipelines.errors import FolderRefused, ModelUnavailable
from tests.weights import safetensors

INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "safety_checker": [None, None],
}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = content if isinstance(content, str | bytes) else json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.fixture
def image_folder(tmp_path):
    """The files of a Stable Diffusion pipeline, as far as they are looked at."""
    folder = tmp_path / "Fox-1.5"
    write(folder / "model_index.json", INDEX)
    write(folder / "scheduler" / "scheduler_config.json", {})
    write(folder / "tokenizer" / "tokenizer.json", {})
    write(folder / "text_encoder" / "config.json", {})
    write(folder / "text_encoder" / "model.safetensors", safetensors(10))
    write(folder / "unet" / "config.json", {"sample_size": 64})
    write(folder / "unet" / "diffusion_pytorch_model.safetensors", safetensors(100))
    write(folder / "vae" / "config.json", {"block_out_channels": [128, 256, 512, 512]})
    write(folder / "vae" / "diffusion_pytorch_model.safetensors", safetensors(20))
    return folder


@pytest.fixture
def text_folder(tmp_path):
    folder = tmp_path / "tales"
    write(folder / "config.json", {"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 200})
    write(folder / "model.safetensors", safetensors(10))
    write(folder / "tokenizer.json", {})
    write(folder / "tokenizer_config.json", {})
    return folder


def test_an_image_model_is_added(image_folder, tmp_path):
    into = tmp_path / "home" / "models.toml"

    model = add_folder(image_folder, into)

    catalog = Catalog.load([into])
    assert catalog.problems == ()
    assert catalog.get("local/fox-1.5") == model
    assert model.family == "stable_diffusion"
    assert model.kinds == ["text-to-image", "image-to-image", "inpaint"]
    assert model.defaults == {"width": 512, "height": 512}
    assert model.memory_bytes == 260
    assert model.sha256 == digest_folder(image_folder)
    model.check_weights()


def test_a_text_model_is_added_under_a_name(text_folder, tmp_path):
    into = tmp_path / "models.toml"

    model = add_folder(text_folder, into, "me/tales")

    assert Catalog.load([into]).get("me/tales") == model
    assert (model.family, model.queue, model.kinds) == ("causal_lm", "text", ["text"])
    assert model.defaults == {"max_tokens": 100}
    assert model.limits["max_tokens"].max == 199


def test_what_stood_in_the_file_stays(image_folder, text_folder, tmp_path):
    into = tmp_path / "models.toml"
    into.write_text('# mine\n[[model]]\nname = "house/scenes"\nenabled = false')

    add_folder(image_folder, into, "me/fox")
    add_folder(text_folder, into, "me/tales")

    assert into.read_text().startswith("# mine\n")
    offered = Catalog.load([into]).models
    assert [name for name in offered if not name.startswith("house/")] == ["me/fox", "me/tales"]
    assert "house/scenes" not in offered


def test_a_folder_with_any_name_is_written_as_toml(text_folder, tmp_path):
    odd = tmp_path / 'a "b" \\ \x7f 🦊\n[[model]]'
    text_folder.rename(odd)
    into = tmp_path / "models.toml"

    model = add_folder(odd, into, "me/odd")

    assert Catalog.load([into]).get("me/odd") == model
    assert model.weights == odd


def test_a_name_that_is_taken_or_not_a_name_is_refused(text_folder, tmp_path):
    into = tmp_path / "models.toml"
    add_folder(text_folder, into, "me/tales")
    before = into.read_text()

    for name, complaint in {"me/tales": "already", "../tales": "pattern", "tales": "pattern"}.items():
        with pytest.raises(FolderRefused, match=complaint):
            add_folder(text_folder, into, name)
    assert into.read_text() == before
    assert list(tmp_path.glob("tmp*")) == []


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("unet/diffusion_pytorch_model.bin", "x", "may run code"),
        ("model.CKPT", "x", "may run code"),
        ("vae/old/weights.pt", "x", "may run code"),
        ("vae/weights.zip", "x", "is an archive"),
        ("unet/model.safetensors", b"PK\3\4" + b"x" * 99, "ZIP archive, as torch saves pickles"),
        ("unet/model.safetensors", b"\x80\2" + b"x" * 99, "is a pickle"),
        ("unet/model.safetensors", b"", "is not whole"),
        ("unet/model.safetensors", safetensors(50)[:-1], "is not whole"),
        ("unet/model.safetensors", safetensors(50)[:20], "is not whole"),
        ("unet/model.safetensors", b"\2" + b"\0" * 7 + b"[]", "is not a safetensors file"),
        ("pipeline.py", "x", "is code"),
        ("unet/.hidden.py", "x", "is code"),
        ("tokenizer/a\\b.json", "{}", "leads out"),
        ("scheduler/scheduler_config.json", {"custom_pipelines": {"x": {}}}, "custom_pipelines"),
        ("model_index.json", {**INDEX, "_class_name": ["pipeline", "Mine"]}, "code of its own"),
        ("model_index.json", {**INDEX, "extra": ["os", "system"]}, "diffusers or transformers"),
        ("unet/config.json", {"auto_map": {"AutoModel": "m.M"}}, "auto_map"),
        ("tokenizer/tokenizer_config.json", {"auto_map": {}}, "auto_map"),
        ("unet/config.json", "{", "cannot be read"),
        ("unet/config.json", "[]", "not a JSON object"),
        ("unet/config.json", "[" * 100_000, "cannot be read"),
        ("model_index.json", {**INDEX, "_class_name": "EvilPipeline"}, "EvilPipeline"),
        ("model_index.json", {**INDEX, "unet": ["evil", "UNet"]}, "diffusers or transformers"),
        ("model_index.json", {**INDEX, "unet": None}, "diffusers or transformers"),
        ("unet/x.safetensors.index.json", {"weight_map": {"a": "../../etc.safetensors"}}, "leads out"),
        (
            "unet/x.safetensors.index.json",
            {"weight_map": {"a": "gone.safetensors"}},
            "gone.safetensors is missing",
        ),
        ("unet/x.safetensors.index.json", {}, "no weight_map"),
    ],
)
def test_an_image_folder_is_refused(image_folder, tmp_path, file, content, complaint):
    write(image_folder / file, content)

    with pytest.raises(FolderRefused, match=complaint):
        add_folder(image_folder, tmp_path / "models.toml")

    assert not (tmp_path / "models.toml").exists()


@pytest.mark.parametrize(
    ("file", "complaint"),
    [
        ("vae/diffusion_pytorch_model.safetensors", "no .safetensors"),
        ("vae/config.json", "vae/config.json is missing"),
        ("tokenizer/tokenizer.json", "tokenizer/ is missing"),
    ],
)
def test_a_folder_with_something_missing_is_refused(image_folder, tmp_path, file, complaint):
    (image_folder / file).unlink()
    if not any((image_folder / file).parent.iterdir()):
        (image_folder / file).parent.rmdir()

    with pytest.raises(FolderRefused, match=complaint):
        add_folder(image_folder, tmp_path / "models.toml")


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"architectures": ["BertModel"], "max_position_embeddings": 9}, "causal language model"),
        ({}, "causal language model"),
        ({"architectures": ["LlamaForCausalLM"]}, "max_position_embeddings"),
    ],
)
def test_a_text_folder_is_refused(text_folder, tmp_path, config, complaint):
    write(text_folder / "config.json", config)

    with pytest.raises(FolderRefused, match=complaint):
        add_folder(text_folder, tmp_path / "models.toml")


def test_no_folder_and_a_broken_catalog_are_refused(text_folder, tmp_path):
    with pytest.raises(FolderRefused, match="not a folder"):
        add_folder(tmp_path / "none", tmp_path / "models.toml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FolderRefused, match="neither"):
        add_folder(tmp_path / "empty", tmp_path / "models.toml")
    (tmp_path / "models.toml").write_text("[[model")
    with pytest.raises(FolderRefused, match="not a catalog file"):
        add_folder(text_folder, tmp_path / "models.toml")


def test_a_link_out_of_the_folder_is_refused_and_one_within_it_is_not(image_folder, tmp_path):
    (image_folder / "vae" / "again.json").symlink_to("config.json")
    add_folder(image_folder, tmp_path / "models.toml", "me/one")

    (tmp_path / "elsewhere").mkdir()
    for place, target in {"vae/secret.json": "/etc/passwd", "more": tmp_path / "elsewhere"}.items():
        (image_folder / place).symlink_to(target)
        with pytest.raises(FolderRefused, match="link that leads out"):
            add_folder(image_folder, tmp_path / "models.toml", "me/two")
        (image_folder / place).unlink()


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("unet/diffusion_pytorch_model.bin", "x", "may run code"),
        ("unet/more.py", "x", "is code"),
        ("tokenizer/tokenizer_config.json", {"auto_map": {}}, "auto_map"),
        ("unet/diffusion_pytorch_model.safetensors", safetensors(99)[:-1], "is not whole"),
    ],
)
def test_what_came_into_the_folder_later_is_refused_at_each_load(
    image_folder, tmp_path, file, content, complaint
):
    model = add_folder(image_folder, tmp_path / "models.toml")
    write(image_folder / file, content)

    with pytest.raises(ModelUnavailable, match=complaint):
        model.check_weights()
