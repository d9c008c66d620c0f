"""What the model writes now, as a picture: a few requests that training never sees, and their answers."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from pipelines.training.snippets import texts
from pipelines.training.snippets.writing import write as written

COUNT, LINE, WIDTH = 8, 14, 1000  # requests; pixels
SEED = "sheet"


def write(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, path: Path) -> None:
    """A PNG: requests in blue, what stands before and after the answer in grey, the answer in black."""
    dice = random.Random(SEED)
    asked = [texts.ask(texts.unseen(dice), dice).example.asked for _ in range(COUNT)]
    pieces: list[tuple[str, str]] = []
    for one in asked:
        answer = written(model, tokenizer, one, seeds=[0], temperature=0.2)[0]
        pieces += [
            ("blue", one.prompt),
            ("grey", one.prefix),
            ("black", answer),
            ("grey", one.suffix),
            ("blue", "-" * 60),
        ]
    lines = [(colour, line) for colour, text in pieces if text for line in text.rstrip("\n").split("\n")]
    image = Image.new("RGB", (WIDTH, LINE * len(lines) + 8), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(11)
    for row, (colour, line) in enumerate(lines):
        pen.text((6, 4 + row * LINE), line, fill=colour, font=font)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, optimize=True)
