"""The watermark on a few pictures of every sort; `make watermark` does it on thousands."""

import random

import numpy as np
import pytest
from PIL import Image

from pipelines.provenance import code_word
from pipelines.provenance.detection import THRESHOLD, find
from pipelines.provenance.watermark import embed
from tests.watermark.measure import PROMISED, look, mark_and_look, psnr, scaled
from tests.watermark.page import page, shortcomings
from tests.watermark.pictures import SORTS, as_jpeg, leaves

SEED = 11


def photo(side: int = 512) -> Image.Image:
    return leaves((side, side), np.random.default_rng(SEED))


class TestWatermark:
    def test_what_is_promised_holds_for_some_of_every_sort(self) -> None:
        unmarked = [look(index, SEED) for index in range(4 * len(SORTS))]
        marked = [trial for index in range(2 * len(SORTS)) for trial in mark_and_look(index, SEED, PROMISED)]

        assert max(each.score for each in unmarked) < THRESHOLD
        assert min(each.psnr for each in marked) >= 40
        assert sum(each.score >= THRESHOLD for each in marked) >= 0.9 * len(marked)
        assert not [each for each in marked if each.number == "wrong"]

    def test_the_number_comes_back(self) -> None:
        for number in (0, 1, 1234, code_word.NUMBERS - 1):
            mark = find(embed(photo(), number))
            assert mark is not None
            assert mark.number == number

    def test_it_survives_everything_at_once(self) -> None:
        marked = embed(photo(), 1234)
        worn = as_jpeg(scaled(marked.crop((13, 40, 480, 500)), 0.75), 75).transpose(Image.Transpose.ROTATE_90)

        mark = find(worn)

        assert mark is not None
        assert mark.number == 1234
        assert abs(mark.scale - 0.75) < 0.05

    @pytest.mark.parametrize("colour", ["white", "black", "grey"])
    def test_flat_pictures_are_marked_too(self, colour: str) -> None:
        mark = find(embed(Image.new("RGB", (256, 256), colour), 7))
        assert mark is not None
        assert mark.number == 7

    def test_the_same_picture_and_number_give_the_same_pixels(self) -> None:
        assert embed(photo(), 5).tobytes() == embed(photo(), 5).tobytes()

    def test_small_pictures_are_left_alone(self) -> None:
        small = photo().crop((0, 0, 400, 255))
        assert embed(small, 5) is small
        assert find(small) is None

    @pytest.mark.parametrize("size", [(256, 300), (1025, 333), (2000, 1500)])
    def test_every_shape_can_be_marked(self, size: tuple[int, int]) -> None:
        plain = leaves(size, np.random.default_rng(SEED))
        marked = embed(plain, 99)
        mark = find(marked)
        assert marked.size == size
        assert mark is not None
        assert mark.number in (99, None)  # a small, busy picture has no room for it
        assert psnr(plain, marked) >= 40

    @pytest.mark.parametrize("size", [(1, 1), (2, 300), (40, 40)])
    def test_pictures_too_small_for_a_mark_can_be_looked_at(self, size: tuple[int, int]) -> None:
        assert find(Image.new("RGB", size, "red")) is None


class TestCodeWord:
    def test_any_two_words_differ_in_twelve_bits(self) -> None:
        words = np.array([code_word.encode(number) for number in range(code_word.NUMBERS)])
        signs = words * 2 - 1
        nearest = (32 - (signs @ signs.T) + 64 * np.eye(len(words))).min() / 2
        assert nearest == 12

    def test_five_lost_bits_do_no_harm(self) -> None:
        dice = random.Random(SEED)
        for number in range(0, code_word.NUMBERS, 97):
            heard = code_word.encode(number) * 2.0 - 1
            heard[dice.sample(range(32), 5)] *= -1
            assert code_word.decode(heard)[0] == number


def test_the_page_tells_what_falls_short() -> None:
    unmarked = [look(0, SEED)]
    marked = mark_and_look(0, SEED)

    assert shortcomings(unmarked, marked) == []
    assert "| JPEG 75 (promised: 95 %) | 1 | 100.0% |" in page(unmarked, marked, SEED)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_what_is_promised_holds_for_thousands() -> None:
    unmarked = [look(index, SEED) for index in range(2000)]
    marked = [trial for index in range(300) for trial in mark_and_look(index, SEED, PROMISED)]
    assert shortcomings(unmarked, marked) == []
