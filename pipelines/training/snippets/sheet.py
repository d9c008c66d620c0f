"""What the model writes, as a picture: requests that training never saw, and the answers.

python -m pipelines.training.snippets.sheet pipelines/house/snippets docs/models/snippets.png
"""

from __future__ import annotations

import random
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from pipelines.families.causal_lm import CausalLM
from pipelines.kinds.texts import Code
from pipelines.training.snippets import evaluate, texts
from pipelines.training.snippets.writing import write as written

COUNT, SEED = 8, "sheet"
LINE, WIDTH, LETTERS = 15, 1000, 150  # pixels, and letters of a line
ASKED, AROUND, ANSWER = "blue", "grey", "black"
VERDICTS = {True: "green", False: "red", None: "white"}


def write(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, path: Path) -> None:
    """A sheet of a training, without verdicts."""
    dice = random.Random(SEED)
    asked = [texts.ask(texts.unseen(dice), dice).example.asked for _ in range(COUNT)]
    made = [written(model, tokenizer, one, seeds=[0], temperature=0.2)[0] for one in asked]
    draw([(one, answer, None) for one, answer in zip(asked, made, strict=True)], path)


def judged(folder: Path, path: Path, count: int = 14) -> None:
    """A sheet of exported weights: requests as the figures have them, of another seed; none was chosen."""
    family = CausalLM.load(folder, "cpu", "float32", lines=evaluate.TOGETHER)
    some = evaluate.problems(count, (*evaluate.MAIN, texts.SIGNED, texts.INFILLED), seed=1)
    made = evaluate.first_tries(family, some)
    ends = evaluate.right(some, [[answer] for answer in made])
    shown = zip(some, made, ends, strict=True)
    draw([(one.asked.example.asked, answer, end) for one, answer, (end,) in shown], path)


def draw(shown: Sequence[tuple[Code, str, bool | None]], path: Path) -> None:
    """A PNG: instructions in blue, what stands around the answer in grey, the answer in black, on the left
    a bar that tells whether it passed: green or red."""
    lines: list[tuple[str, str, str]] = []
    for asked, answer, end in shown:
        pieces = ((ASKED, asked.prompt), (AROUND, asked.prefix), (ANSWER, answer), (AROUND, asked.suffix))
        for colour, text in pieces:
            for line in text.strip("\n").split("\n") if text else []:
                whole = textwrap.wrap(line, LETTERS, subsequent_indent="    ", drop_whitespace=False) or [""]
                lines += [(colour, part, VERDICTS[end]) for part in whole]
        lines.append((ANSWER, "", "white"))
    image = Image.new("RGB", (WIDTH, LINE * len(lines) + 8), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(12)
    for row, (colour, line, verdict) in enumerate(lines):
        top = 4 + row * LINE
        pen.rectangle((2, top, 7, top + LINE - 1), fill=verdict)
        indent = len(line) - len(line.lstrip(" "))
        pen.text((14 + 7 * indent, top), line.lstrip(" "), fill=colour, font=font)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.quantize(32).save(path, optimize=True)


if __name__ == "__main__":
    judged(Path(sys.argv[1]), Path(sys.argv[2]))
