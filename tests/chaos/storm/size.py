"""How big a storm is."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Size:
    """What a storm is made of."""

    jobs: int
    kills: int
    seed: int = 1
    workers: int = 4
    told_every: int = 5
    """One job in so many has a webhook; 0: none has."""
    minutes: float = 60.0
    """Then no more is submitted and nobody is killed; what was accepted still ends and is judged."""
