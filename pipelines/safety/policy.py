"""What follows from what was found: the categories, the actions, and the operator's choice for each."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MINORS = "minors"

CATEGORIES: Mapping[str, str] = {
    MINORS: "Sexual content with minors. Always blocked, whatever the settings.",
    "sexual": "Nudity and sexual acts.",
    "gore": "Mutilation and cruelty, shown for its own sake.",
    "hate": "Slurs, and praise of violence against groups of people.",
    "self_harm": "How to hurt or kill oneself, and praise of it.",
    "danger": "How to make weapons, explosives, poisons and hard drugs.",
}
"""Every category and what it means."""


class Action(StrEnum):
    """What follows where a category is found, the mildest first."""

    ALLOW = "allow"
    """Nothing."""
    LABEL = "label"
    """The artifacts' facts name it."""
    BLUR = "blur"
    """Pictures and videos are made unrecognisable, and labelled; other outputs are labelled."""
    BLOCK = "block"
    """The request is refused, or its outputs are not given out."""


@dataclass(frozen=True)
class Verdict:
    """What a policy makes of the categories that were found."""

    blocked: tuple[str, ...] = ()
    """Those for which the answer is no."""
    labels: tuple[str, ...] = ()
    """Those that the artifacts are labelled with."""
    blur: bool = False

    def __or__(self, other: "Verdict") -> "Verdict":
        """Both, as of a prompt and of what was made of it."""
        return Verdict(
            tuple(dict.fromkeys(self.blocked + other.blocked)),
            tuple(dict.fromkeys(self.labels + other.labels)),
            self.blur or other.blur,
        )


@dataclass(frozen=True)
class Policy:
    """The operator's choices."""

    actions: Mapping[str, Action] = field(default_factory=dict)
    """By category; one that is not named is allowed, but for minors."""
    fail_closed: bool = False
    """Whether pictures that cannot be checked are not given out."""

    def action(self, category: str) -> Action:
        """What follows where this category is found."""
        if category == MINORS:
            return Action.BLOCK
        return self.actions.get(category, Action.ALLOW)

    def judge(self, found: Collection[str]) -> Verdict:
        """What follows where these categories are found."""
        by_action = {action: [name for name in found if self.action(name) is action] for action in Action}
        return Verdict(
            blocked=tuple(by_action[Action.BLOCK]),
            labels=tuple(by_action[Action.LABEL] + by_action[Action.BLUR]),
            blur=bool(by_action[Action.BLUR]),
        )

    @property
    def withholds(self) -> bool:
        """Whether something in a picture may be kept from people, so that its previews must be, too."""
        return any(self.action(name) in (Action.BLUR, Action.BLOCK) for name in CATEGORIES)


def policy_of(settings: Any) -> Policy:
    """The policy of the settings `safety_<category>` and `safety_fail_closed`."""
    chosen = {name: Action(getattr(settings, f"safety_{name}")) for name in CATEGORIES if name != MINORS}
    return Policy(chosen, settings.safety_fail_closed)
