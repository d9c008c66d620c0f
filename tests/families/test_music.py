"""What is particular about the music families: lengths, words, what is refused, which rows go together."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.base import Request, load_pipeline
from pipelines.catalog import Catalog, add_folder
from pipelines.errors import InvalidInputs
from pipelines.families import _music
from pipelines.kinds import parse_inputs
from pipelines.media import read_sound
from tests.families import samples
from tests.families.cases import Given
from tests.families.tiny.ace_step import save_ace_step
from tests.families.tiny.audioldm2 import save_audioldm2
from tests.families.tiny.musicgen import save_musicgen
from tests.families.tiny.stable_audio import save_stable_audio
from tests.families.trying import Told, difference

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Should have t:UserWarning:torchsde"),
    pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values:UserWarning"),
]

SAVE = {
    "musicgen": save_musicgen,
    "musicgen_stereo": lambda folder: save_musicgen(folder, channels=2),
    "stable_audio": save_stable_audio,
    "audioldm2": save_audioldm2,
    "ace_step": save_ace_step,
    "turbo": lambda folder: save_ace_step(folder, turbo=True),
}
DENOISING = ("stable_audio", "audioldm2", "ace_step")


class Band:
    """The tiny models, each loaded once, from a catalog."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "models.toml"
        self.loaded: dict[str, Any] = {}

    def get(self, name: str) -> Any:
        if name not in self.loaded:
            add_folder(SAVE[name](self.folder / name), self.file, f"tiny/{name}")
            self.loaded[name] = load_pipeline(Catalog.load([self.file]).get(f"tiny/{name}"), "cpu")
        return self.loaded[name]

    def request(self, kind: str = "text-to-music", prompt: str = "a waltz", **inputs: Any) -> Request:
        raw = {"prompt": prompt, "seed": 7, "duration_seconds": 1, **inputs}
        files = {}
        if kind == "continue-music":
            files, raw["audio"] = {"audio": samples.write(Given("sound"), self.folder)}, {"upload": "u"}
        return Request("r", kind, parse_inputs(kind, raw), files)

    def play(self, name: str, *requests: Request) -> list[Any]:
        return [outputs[0] for outputs in self.get(name).run(list(requests), Told())]


@pytest.fixture(scope="module")
def band(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Band]:
    return Band(tmp_path_factory.mktemp("band"))


def test_fields_become_words_for_models_that_read_words_only() -> None:
    fields = {"tempo": 90, "key": "A minor", "metre": "3/4", "instruments": ["piano", "violin"]}
    inputs = parse_inputs("text-to-music", {"prompt": " a slow waltz ", **fields})

    assert _music.described(inputs) == (
        "a slow waltz, with piano and violin, 90 bpm, in A minor, in 3/4 time"
    )
    assert _music.described(parse_inputs("text-to-music", {"prompt": "drums"})) == "drums"


@pytest.mark.parametrize("name", ["musicgen", "stable_audio", "audioldm2", "ace_step"])
def test_a_piece_has_the_length_that_is_asked_for(band: Band, name: str) -> None:
    steps = {"steps": 1} if name in DENOISING else {}

    (piece,) = band.play(name, band.request(duration_seconds=1.23, **steps))

    assert len(piece.value.samples) == round(1.23 * piece.value.rate)


@pytest.mark.parametrize("name", ["musicgen", "stable_audio", "audioldm2", "ace_step"])
def test_each_word_of_a_request_is_heard(band: Band, name: str) -> None:
    steps = {"steps": 2} if name in DENOISING else {}
    plain = band.request(**steps)
    told = [
        band.request(**steps, **field)
        for field in ({"tempo": 90}, {"key": "A minor"}, {"metre": "3/4"}, {"instruments": ["oboe"]})
    ]

    pieces = [band.play(name, request)[0] for request in (plain, *told)]

    assert all(difference(pieces[0], piece) > 0 for piece in pieces[1:])


@pytest.mark.parametrize(
    ("name", "inputs", "pointers"),
    [
        ("musicgen", {"steps": 5}, ["/inputs/steps"]),
        ("musicgen", {"lyrics": "la", "negative_prompt": "x"}, ["/inputs/negative_prompt", "/inputs/lyrics"]),
        ("stable_audio", {"lyrics": "la", "temperature": 1.0}, ["/inputs/lyrics", "/inputs/temperature"]),
        ("audioldm2", {"lyrics": "la"}, ["/inputs/lyrics"]),
        ("ace_step", {"negative_prompt": "x"}, ["/inputs/negative_prompt"]),
        ("ace_step", {"temperature": 0.5}, ["/inputs/temperature"]),
        ("turbo", {"guidance": 7.0}, ["/inputs/guidance"]),
        ("stable_audio", {"duration_seconds": 3.5}, ["/inputs/duration_seconds"]),
        ("musicgen", {"prompt": "x" * 600}, ["/inputs/prompt"]),
        ("stable_audio", {"instruments": ["bass"] * 16}, ["/inputs/prompt"]),
        ("ace_step", {"prompt": "x" * 300}, ["/inputs/prompt"]),
        ("ace_step", {"lyrics": "x" * 2100}, ["/inputs/lyrics"]),
    ],
)
def test_what_would_not_be_heard_is_refused(
    band: Band, name: str, inputs: dict[str, Any], pointers: list[str]
) -> None:
    with pytest.raises(InvalidInputs) as caught:
        band.play(name, band.request(**inputs))

    assert [problem.pointer for problem in caught.value.problems] == pointers


def test_turbo_runs_without_guidance_of_its_own(band: Band) -> None:
    assert band.play("turbo", band.request(steps=1), band.request(steps=1))[0].bucket == 2


@pytest.mark.parametrize("name", ["ace_step", "audioldm2"])
def test_prompts_of_different_lengths_share_no_bucket_where_padding_is_heard(band: Band, name: str) -> None:
    requests = [band.request(steps=1), band.request(steps=1, prompt="a much longer waltz")]

    alone = [band.play(name, request)[0] for request in requests]
    together = band.play(name, *requests)

    assert [piece.bucket for piece in together] == [1, 1]
    assert [difference(*pair) for pair in zip(alone, together, strict=True)] == [0, 0]


def test_stable_audio_keeps_negative_prompts_apart_from_none(band: Band) -> None:
    requests = [band.request(steps=2), band.request(steps=2, negative_prompt="noise")]

    pieces = band.play("stable_audio", *requests)

    assert [piece.bucket for piece in pieces] == [1, 1]
    assert difference(*pieces) > 0


def test_musicgen_at_temperature_0_draws_nothing(band: Band) -> None:
    first, second = band.play(
        "musicgen", band.request(temperature=0.0), band.request(temperature=0.0, seed=8)
    )

    assert difference(first, second) < 1e-5
    assert difference(first, band.play("musicgen", band.request())[0]) > 0


def test_musicgen_goes_on_from_a_recording_as_its_codec_plays_it(band: Band) -> None:
    request = band.request("continue-music")
    begun = read_sound(request.files["audio"], 8_000, 1)

    pieces = band.play("musicgen", request, band.request("continue-music", seed=8))

    head = len(pieces[0].value.samples) - 8_000
    assert 0 <= head - len(begun) < 160  # a frame of the codec
    same = min(head, len(begun)) - 800  # the codec hears a little of what follows
    one, other = (piece.value.samples for piece in pieces)
    assert np.abs(one[:same] - other[:same]).max() < 1e-6
    assert np.abs(one[head:] - other[head:]).max() > 0


def test_musicgen_in_stereo(band: Band) -> None:
    request = band.request("continue-music")
    begun = read_sound(request.files["audio"], 8_000, 2)

    alone = band.play("musicgen_stereo", request)[0]
    beside = band.play("musicgen_stereo", band.request("continue-music", seed=8), request)[1]

    assert alone.value.samples.shape[1] == 2
    assert 0 <= len(alone.value.samples) - 8_000 - len(begun) < 160
    assert np.ptp(alone.value.samples, axis=1).max() > 0
    assert difference(alone, beside) < 1e-5


def test_what_is_continued_counts_towards_what_a_model_holds(band: Band) -> None:
    with pytest.raises(InvalidInputs) as caught:
        band.play("musicgen", band.request("continue-music", duration_seconds=3.8))

    (problem,) = caught.value.problems
    assert problem.pointer == "/inputs/duration_seconds"
    assert "holds at most 4" in problem.detail


def test_ace_step_repaints_what_follows_a_recording(band: Band) -> None:
    request = band.request("continue-music", steps=2)
    begun = read_sound(request.files["audio"], 8_000, 2)

    (piece,) = band.play("ace_step", request)

    assert piece.value.samples.shape == (len(begun) + 8_000, 2)
    assert difference(piece, band.play("ace_step", request)[0]) == 0


def test_a_midi_file_is_no_recording(band: Band) -> None:
    request = band.request("continue-music")
    score = samples.write(Given("midi"), band.folder)

    with pytest.raises(InvalidInputs) as caught:
        band.play("musicgen", Request("r", request.kind, request.inputs, {"audio": score}))

    assert [problem.pointer for problem in caught.value.problems] == ["/inputs/audio"]
