"""What is noted where a safety filter finds something: which category and what followed, never the words."""

from collections.abc import Iterable
from typing import Literal

from infra.logs import get_logger
from infra.metrics import SAFETY_FOUND

log = get_logger()

Follows = Literal["label", "blur", "block"]


def note_found(
    stage: Literal["prompt", "output"], categories: Iterable[str], follows: Follows, **about: str
) -> None:
    """Count and log it. `about` names the job, or the owner and the model of a request that was refused."""
    found = list(categories)
    if not found:
        return
    for category in found:
        SAFETY_FOUND.inc(stage=stage, category=category, follows=follows)
    log.warning(
        "A safety filter found something",
        action="safety.found",
        stage=stage,
        categories=found,
        follows=follows,
        **about,
    )
