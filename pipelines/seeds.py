"""Seeds: whole numbers from 0 to 2³²−1, one for each output."""

import secrets

MODULUS = 2**32


def choose_seed() -> int:
    """A seed for a request that names none; unpredictable, so two requests never share one by accident."""
    return secrets.randbelow(MODULUS)


def output_seed(seed: int, index: int) -> int:
    """The seed of output `index` of a request: the seeds of one request follow one another."""
    return (seed + index) % MODULUS
