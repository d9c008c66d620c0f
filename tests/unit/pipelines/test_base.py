"""Buckets, seeds, errors, and finding a family."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import errors
from pipelines.base import buckets, load_family
from pipelines.errors import ModelUnavailable, PipelineError
from pipelines.seeds import output_seed


@given(st.integers(0, 200), st.sampled_from([1, 2, 4, 8]))
def test_buckets_are_the_largest_full_ones(rows, largest):
    sizes = buckets(rows, largest)

    assert sum(sizes) == rows
    assert sizes == sorted(sizes, reverse=True)
    assert set(sizes) <= {size for size in (8, 4, 2, 1) if size <= largest}
    assert all(sizes.count(size) <= 1 for size in (1, 2, 4) if size < largest)


def test_seeds_follow_one_another_round_the_end():
    assert [output_seed(2**32 - 2, index) for index in range(4)] == [2**32 - 2, 2**32 - 1, 0, 1]


def test_a_family_that_is_not_installed_is_told_with_those_that_are():
    with pytest.raises(ModelUnavailable, match="stable_diffusion"):
        load_family("nothing")


def test_every_error_has_a_type_of_its_own_a_title_and_a_detail():
    classes = [
        each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, PipelineError)
    ]

    assert len({each.type for each in classes}) == len(classes) > 8
    for each in classes:
        error = each([]) if issubclass(each, errors.InvalidInputs) else each()
        assert error.title.endswith(".")
        assert error.detail == error.title
        assert isinstance(error.retryable, bool)
