"""What the demo makes: seven jobs of all five kinds, each building on those before it, in one submission."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Piece:
    """One job of the chain. ref: its name there, and its files'. called: what people read beside its bar."""

    ref: str
    called: str
    kind: str
    inputs: dict[str, Any]

    def body(self, seed: int | None) -> dict[str, Any]:
        """What the API takes; no model is named, so each kind's default answers."""
        return {
            "ref": self.ref,
            "kind": self.kind,
            "inputs": self.inputs if seed is None else {**self.inputs, "seed": seed},
        }


PIECES: Final[Sequence[Piece]] = (
    Piece("tale", "a tale", "text", {"prompt": "Tell a tale about a fox, a red boat and the sea."}),
    Piece("words", "its picture in words", "text", {"prompt": {"job": "#tale"}}),
    Piece("picture", "its picture", "text-to-image", {"prompt": {"job": "#words"}}),
    Piece("large", "the picture, larger", "upscale", {"image": {"job": "#picture"}}),
    Piece(
        "film",
        "the picture, moving",
        "image-to-video",
        {"prompt": "the red boat moves from left to right, at sea", "image": {"job": "#picture"}},
    ),
    Piece(
        "song",
        "a song for it",
        "text-to-music",
        {"prompt": "a calm song of the sea, with piano and flute", "duration_seconds": 15},
    ),
    Piece(
        "page",
        "the code of a page",
        "code",
        {
            "prompt": "Write a JavaScript function page(title, story, picture, clip, sound) that returns the"
            " HTML of a page that shows the title, the story, the picture, the clip and the sound.",
            "language": "javascript",
        },
    ),
)
