"""How large a model will be in memory, told from its files."""

import json
from pathlib import Path

import pytest

from pipelines.models import Model
from pipelines.sizes import Size, size_of


def write(file: Path, **tensors: tuple[str, list[int], int]) -> None:
    """A safetensors file of these tensors: (dtype, shape, bytes)."""
    file.parent.mkdir(parents=True, exist_ok=True)
    header, at = {}, 0
    for name, (dtype, shape, size) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps({**header, "__metadata__": {"format": "pt"}}).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + bytes(at))


def row(folder: Path, dtype: str = "auto") -> Model:
    values = {"name": "a/b", "family": "causal_lm", "kinds": ["text"], "queue": "text"}
    return Model.model_validate({**values, "weights": folder, "dtype": dtype})


@pytest.mark.parametrize(
    ("dtype", "device", "loaded"),
    [
        ("auto", "cpu", 4 * 110 + 24 + 5),
        ("auto", "cuda:0", 2 * 110 + 24 + 5),
        ("float16", "cpu", 2 * 110 + 24 + 5),
        ("float32", "cuda:0", 4 * 110 + 24 + 5),
    ],
)
def test_numbers_take_the_format_of_the_row_but_for_whole_and_quantised_ones(
    tmp_path: Path, dtype: str, device: str, loaded: int
) -> None:
    write(
        tmp_path / "model.safetensors",
        half=("F16", [10, 10], 200),
        single=("F32", [10], 40),
        places=("I64", [3], 24),
        quantised=("F8_E4M3", [5], 5),
    )
    assert size_of(row(tmp_path, dtype), device) == Size(stored=269, loaded=loaded)


def test_a_model_in_parts_is_what_its_index_names(tmp_path: Path) -> None:
    parts = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    for part in parts:
        write(tmp_path / part, tensor=("F32", [10], 40))
    write(tmp_path / "consolidated.safetensors", tensor=("F32", [20], 80))
    index = {"weight_map": {"one": parts[0], "two": parts[1]}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert size_of(row(tmp_path), "cpu") == Size(80, 80)


def test_of_a_pipeline_only_the_parts_that_are_loaded_count(tmp_path: Path) -> None:
    index = {"_class_name": "StableDiffusionPipeline"}
    parts = {
        "unet": "UNet2DConditionModel", "vae": "AutoencoderKL", "safety_checker": "SafetyChecker"
    }  # fmt: skip
    for part, name in parts.items():
        index[part] = ["diffusers", name]
        write(tmp_path / part / "diffusion_pytorch_model.safetensors", tensor=("F32", [10], 40))
    for part in ("text_encoder", "tokenizer", "scheduler"):
        index[part] = ["transformers", "Thing"]
    write(tmp_path / "text_encoder" / "model.safetensors", tensor=("F32", [10], 40))
    # and neither another variant nor the whole in one file
    write(tmp_path / "unet" / "diffusion_pytorch_model.fp16.safetensors", tensor=("F16", [10], 20))
    write(tmp_path / "everything.safetensors", tensor=("F32", [100], 400))
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    assert size_of(row(tmp_path), "cpu") == Size(120, 120)


def test_a_folder_with_one_variant_only_has_that(tmp_path: Path) -> None:
    write(tmp_path / "model.fp16.safetensors", tensor=("F16", [10], 20))
    assert size_of(row(tmp_path), "cpu") == Size(20, 40)


def test_what_cannot_be_read_has_no_size(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"no such thing")
    assert size_of(row(tmp_path), "cpu") == Size(0, 0)
    assert size_of(row(tmp_path / "nowhere"), "cpu") == Size(0, 0)
