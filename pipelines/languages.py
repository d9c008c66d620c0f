"""The programming languages that are looked into, by the names that people give them."""

from typing import Literal

Language = Literal["python", "javascript"]

NAMES: dict[str, Language] = {
    "python": "python", "python3": "python", "py": "python",
    "javascript": "javascript", "js": "javascript",
}  # fmt: skip


def language_of(name: str) -> Language | None:
    """Which of them a name means; None for any other language, and for none."""
    return NAMES.get(name.strip().lower())
