"""A deployment's number as 32 bits of which some may be lost: the extended BCH code with 11 bits of message.

(R. C. Bose, D. K. Ray-Chaudhuri, 1960; A. Hocquenghem, 1959.) Any two of its 2,048 words differ in at least
12 bits. It is decoded by comparing what was heard with every word: the best that can be done, and quick.
"""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

NUMBERS: Final = 1 << 11
"""How many numbers there are: 0 to 2,047."""

LENGTH: Final = 32
"""Bits of a word."""

GENERATOR: Final = 0o5423325
"""The polynomial over two elements, of degree 20, whose multiples are the words (without the parity bit)."""


def encode(number: int) -> NDArray[np.intp]:
    """The word of a number, 32 zeros and ones."""
    return np.where(_signs()[number] > 0, 1, 0)


def decode(heard: NDArray[np.float64]) -> tuple[int, float]:
    """The number whose word agrees best with 32 values (above 0 for a one, below for a zero, the further away
    the surer), and by how much: the sum of what agrees less what does not."""
    agreement = _signs() @ heard
    best = int(np.argmax(agreement))
    return best, float(agreement[best])


@cache
def _signs() -> NDArray[np.float64]:
    """All words by number, as -1 and 1."""
    words = [_with_parity(_multiplied(number)) for number in range(NUMBERS)]
    bits = (np.array(words)[:, None] >> np.arange(LENGTH)[None]) & 1
    return np.where(bits == 1, 1.0, -1.0)


def _multiplied(number: int) -> int:
    product = 0
    for place in range(number.bit_length()):
        if number >> place & 1:
            product ^= GENERATOR << place
    return product


def _with_parity(word: int) -> int:
    return word << 1 | word.bit_count() & 1
