"""Limits of a model's fields."""

import pytest

from pipelines.limits import Limit


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        (Limit(min=2), 1, "this model takes at least 2"),
        (Limit(max=2), 3, "this model takes at most 2"),
        (Limit(only=[1, 2]), 3, "this model takes only 1, 2"),
        (Limit(max_length=2), "abc", "this model takes at most 2 characters"),
        (Limit(multiple_of=16), 40, "this model takes multiples of 16, such as 32 or 48"),
        (Limit(multiple_of=16), 8, "this model takes multiples of 16, such as 16"),
        (Limit(multiple_of=8, plus=1), 16, "this model takes multiples of 8 and 1 more, such as 9 or 17"),
        (Limit(multiple_of=8, plus=1), 5, "this model takes multiples of 8 and 1 more, such as 1 or 9"),
    ],
)
def test_a_value_beyond_it_is_told(limit, value, words):
    assert list(limit.broken_by(value)) == [words]


@pytest.mark.parametrize("value", [None, 1, 9, 257])
def test_a_value_within_it_is_not(value):
    assert list(Limit(multiple_of=8, plus=1, max=257).broken_by(value)) == []


@pytest.mark.parametrize("fields", [{"plus": 1}, {"multiple_of": 4, "plus": 4}])
def test_more_goes_with_multiples_of_more(fields):
    with pytest.raises(ValueError, match="plus goes with a larger multiple_of"):
        Limit(**fields)


def test_the_schema_says_what_it_can():
    assert Limit(multiple_of=8, max=64).narrow({}) == {"multipleOf": 8, "maximum": 64}
    assert Limit(multiple_of=8, plus=1, max=65).narrow({}) == {"maximum": 65}
