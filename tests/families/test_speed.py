"""The options that make the families of diffusers faster take hold, and change no more than rounding."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend

from pipelines.base import Output, Request, load_family
from pipelines.errors import ModelUnavailable
from pipelines.kinds import parse_inputs
from tests.families.trying import CASES, Told, difference

pytestmark = [
    # diffusers hands tensors to numpy in a way that numpy 2.4 deprecates
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    # said by torch of itself, when its compiler is imported
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
]

NAMES = ["sdxl", "flux"]
STEP = 1 / 255


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("speed")
    return {name: CASES[name].save(root / name) for name in NAMES}


def load(folder: Path, name: str, **options: Any) -> Any:
    return load_family(name).load(folder, "cpu", "float32", **options)


def picture(family: Any) -> Output:
    inputs = parse_inputs(
        "text-to-image", {"prompt": "a fox", "width": 64, "height": 64, "steps": 3, "seed": 7}
    )
    ((output,),) = family.run([Request("a", "text-to-image", inputs)], Told())
    return output


@pytest.mark.parametrize("name", NAMES)
def test_channels_last_is_another_layout_of_the_same_numbers(folders: dict[str, Path], name: str) -> None:
    family = load(folders[name], name, channels_last=True)
    convolutions = [part for part in family.pipe.vae.modules() if isinstance(part, torch.nn.Conv2d)]

    assert all(part.weight.is_contiguous(memory_format=torch.channels_last) for part in convolutions)
    assert difference(picture(family), picture(load(folders[name], name))) <= STEP


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kernel", ["cudnn", "flash", "efficient", "math"])
def test_attention_takes_the_kernel_that_the_row_names(
    folders: dict[str, Path], name: str, kernel: str
) -> None:
    family = load(folders[name], name, attention=kernel)
    denoiser = getattr(family.pipe, "transformer", None) or family.pipe.unet
    before, seen = _state(), []
    denoiser.register_forward_pre_hook(lambda module, args: seen.append(_state()))

    made = picture(family)

    order, flash = seen[0]
    assert order[0] == getattr(SDPBackend, f"{kernel.upper()}_ATTENTION", SDPBackend.MATH) or not flash
    assert flash is (kernel != "math"), "others stand in where a kernel cannot do it, but for math"
    assert _state() == before
    assert difference(made, picture(load(folders[name], name))) <= STEP


def _state() -> tuple[list[SDPBackend], bool]:
    """The order in which kernels are tried, and whether flash attention may be taken."""
    order = [SDPBackend(int(each)) for each in torch._C._get_sdp_priority_order()]
    return order, torch.backends.cuda.flash_sdp_enabled()


@pytest.mark.parametrize("name", NAMES)
def test_the_blocks_that_repeat_are_compiled_and_nothing_else(folders: dict[str, Path], name: str) -> None:
    family = load(folders[name], name, compile_blocks=True)
    denoiser = getattr(family.pipe, "transformer", None) or family.pipe.unet
    compiled = {type(part).__name__ for part in denoiser.modules() if part._compiled_call_impl}

    assert compiled == set(denoiser._repeated_blocks)
    assert not any(part._compiled_call_impl for part in family.pipe.vae.modules())


def test_a_model_without_such_blocks_says_so(tmp_path: Path) -> None:
    folder = CASES["animatediff"].save(tmp_path / "animatediff")
    with pytest.raises(ModelUnavailable, match=r"option compile_blocks: .*UNetMotionModel"):
        load_family("animatediff").load(folder, "cpu", "float32", compile_blocks=True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"channels_last": "yes"}, "option channels_last is true or false, not 'yes'"),
        ({"compile_blocks": 1}, "option compile_blocks is true or false, not 1"),
        ({"attention": "sage"}, "option attention is one of cudnn, flash, efficient, math, not 'sage'"),
        ({"attention": ["flash"]}, "option attention is one of"),
    ],
)
def test_a_value_that_is_none_is_refused_before_anything_is_read(
    tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ModelUnavailable, match=says):
        load(tmp_path / "nothing", "sdxl", **options)


def test_compiling_needs_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(ModelUnavailable, match="needs a C compiler"):
        load(tmp_path / "nothing", "sdxl", compile_blocks=True)
