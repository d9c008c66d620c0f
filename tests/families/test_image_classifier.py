"""The output filter with a real classifier, from a folder that an operator adds to the catalog."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.base import Output
from pipelines.catalog import Catalog, add_folder
from pipelines.errors import ModelUnavailable, OutputBlocked
from pipelines.outputs import Video
from pipelines.safety import Action, Policy, Verdict
from pipelines.safety.classifiers import load_classifier
from pipelines.safety.guard import Guard, blurred, released
from tests.families.tiny.image_classifier import save_image_classifier

BRIGHT, DARK = Image.new("RGB", (64, 48), "white"), Image.new("RGB", (64, 48), "black")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("classifier")
    add_folder(save_image_classifier(home / "nsfw"), home / "models.toml", "tiny/nsfw")
    return home / "models.toml"


def guard(file: Path, sexual: Action, *, fail_closed: bool = False) -> Guard:
    classifiers = list(Catalog.load([file]).classifiers.values())
    assert [row.name for row in classifiers] == ["tiny/nsfw"]
    return Guard(Policy({"sexual": sexual}, fail_closed), classifiers)


def test_an_added_folder_is_a_classifier_and_no_request_may_name_it(file: Path) -> None:
    catalog = Catalog.load([file])

    assert catalog.classifiers["tiny/nsfw"].options == {"categories": {"nsfw": "sexual"}}
    assert "tiny/nsfw" not in catalog.models


@pytest.mark.parametrize(
    ("action", "verdict"),
    [
        (Action.ALLOW, Verdict()),
        (Action.LABEL, Verdict(labels=("sexual",))),
        (Action.BLUR, Verdict(labels=("sexual",), blur=True)),
        (Action.BLOCK, Verdict(blocked=("sexual",))),
    ],
)
def test_what_is_found_has_what_follows(file: Path, action: Action, verdict: Verdict) -> None:
    watching = guard(file, action)

    assert watching.found_in(Output(0, BRIGHT, 7)) == verdict
    assert watching.found_in(Output(0, DARK, 7)) == Verdict()


def test_one_frame_of_a_video_is_enough(file: Path) -> None:
    frames = np.zeros((30, 48, 64, 3), np.uint8)
    frames[12:17] = 255

    found = guard(file, Action.LABEL).found_in(Output(0, Video(frames, Fraction(8)), 7))

    assert found.labels == ("sexual",)


def test_blurred_pictures_and_videos_keep_their_size_and_lose_what_they_show() -> None:
    board = Image.fromarray(np.kron(np.indices((24, 32)).sum(0) % 2, np.ones((2, 2))).astype(np.uint8) * 255)
    board = board.convert("RGB")

    picture = blurred(board)
    video = blurred(Video(np.stack([np.asarray(board)] * 2), 8))

    assert picture.size == board.size
    assert np.ptp(np.asarray(picture).astype(int)) < 64
    assert video.frames.shape == (2, 48, 64, 3)
    assert np.ptp(video.frames.astype(int)) < 64


def test_a_label_is_a_fact_of_the_artifact() -> None:
    output = released(Output(0, BRIGHT, 7, facts={"a": 1}), Verdict(labels=("sexual", "gore")))

    assert output.facts == {"a": 1, "safety": "sexual, gore"}
    assert output.value is BRIGHT
    assert released(Output(0, BRIGHT, 7), Verdict(labels=("gore",), blur=True)).facts["blurred"] is True


def test_without_a_classifier_pictures_pass_unless_it_fails_closed() -> None:
    assert Guard(Policy()).found_in(Output(0, BRIGHT, 7)) == Verdict()
    with pytest.raises(OutputBlocked, match="no classifier"):
        Guard(Policy(fail_closed=True)).found_in(Output(0, BRIGHT, 7))


def test_a_classifier_that_fails_lets_pass_unless_it_fails_closed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    add_folder(save_image_classifier(tmp_path / "nsfw"), tmp_path / "models.toml", "tiny/nsfw")
    (tmp_path / "nsfw" / "model.safetensors").unlink()

    assert guard(tmp_path / "models.toml", Action.BLOCK).found_in(Output(0, BRIGHT, 7)) == Verdict()
    assert "tiny/nsfw" in capfd.readouterr().err
    with pytest.raises(OutputBlocked, match="tiny/nsfw failed"):
        guard(tmp_path / "models.toml", Action.LABEL, fail_closed=True).found_in(Output(0, BRIGHT, 7))


def test_previews_are_hidden_where_the_picture_might_be(file: Path) -> None:
    assert guard(file, Action.BLUR).hides_previews(Verdict())
    assert Guard(Policy()).hides_previews(Verdict(labels=("sexual",), blur=True))
    assert not Guard(Policy()).hides_previews(Verdict())


def test_a_row_with_a_label_or_a_category_that_there_is_not_is_refused(file: Path) -> None:
    row = Catalog.load([file]).classifiers["tiny/nsfw"]

    for categories, words in (({"nsfw": "rude"}, "no category rude"), ({"bad": "gore"}, "no label bad")):
        with pytest.raises(ModelUnavailable, match=words):
            load_classifier(row.model_copy(update={"options": {"categories": categories}}))


def test_what_a_text_model_writes_is_read() -> None:
    watching = Guard(Policy({"gore": Action.LABEL}))

    assert watching.found_in(Output(0, "a naked child", 7)).blocked == ("minors",)
    assert watching.found_in(Output(0, "a decapitated man", 7)).labels == ("gore",)
