"""Functions that write a small web page: which parts it has, and in which order."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from pipelines.training.snippets.tasks import PYTHON

PARTS = {  # what the argument is: how a page shows it, `{}` being the argument's place
    "title": "<h1>{}</h1>",
    "story": "<p>{}</p>",
    "picture": '<img src="{}">',
    "clip": '<video src="{}" controls loop></video>',
    "sound": '<audio src="{}" controls></audio>',
    "subtitle": "<h2>{}</h2>",
    "code": "<pre>{}</pre>",
    "quote": "<blockquote>{}</blockquote>",
    "link": '<a href="{0}">{0}</a>',
    "note": "<small>{}</small>",
}
FRAMES = ("main", "section", "article", "body")
IN_FRAME = {"main": "in a main element", "body": "in a body element", "article": "in an article"}


@dataclass(frozen=True)
class Page:
    """A page of these parts, in this order, within a frame or none."""

    arguments: tuple[str, ...]
    frame: str
    order_of: tuple[str, ...] = ()  # in which they are shown; as they are given when empty

    @property
    def shown(self) -> tuple[str, ...]:
        return self.order_of or self.arguments

    @property
    def pieces(self) -> int:
        return len(self.arguments)

    @property
    def key(self) -> str:
        return f"page {self.frame or '-'} {' '.join(self.shown)}"

    @property
    def hints(self) -> tuple[str, ...]:
        return ("str",) * len(self.arguments)

    @property
    def returns(self) -> str:
        return "str"

    @property
    def label(self) -> str:
        return (
            f"{self.frame}_of_{'_'.join(self.arguments)}"
            if self.frame
            else f"page_of_{'_'.join(self.arguments)}"
        )

    def phrase(self, dice: random.Random) -> str:
        a = "a " if dice.random() < 0.3 else "the "
        named = [a + one for one in self.arguments]
        parts = f"{', '.join(named[:-1])} and {named[-1]}" if len(named) > 1 else named[0]
        frame = IN_FRAME.get(self.frame, f"in a {self.frame}")
        page = dice.choice(("the HTML of a page", "a small HTML page", "HTML", "a web page"))
        return f"{page} that shows {parts}" + (f" {frame}" if self.frame else "")

    def order(self, dice: random.Random) -> str:
        return ""

    def body(self, language: str, dice: random.Random) -> list[str]:
        if language == PYTHON:
            lines = [f"f{_quoted(PARTS[one].format('{' + one + '}'))}" for one in self.shown]
            begin, end = 'return "\\n".join([', "])"
        else:
            lines = [f"`{PARTS[one].format('${' + one + '}')}`" for one in self.shown]
            begin, end = "return [", '].join("\\n");'
        if self.frame:
            lines = [f'"<{self.frame}>"', *lines, f'"</{self.frame}>"']
        return [begin, *(f"{'    ' if language == PYTHON else '  '}{line}," for line in lines), end]

    def inputs(self, dice: random.Random) -> list[Any]:
        return [f"{one} {dice.randint(1, 999)}" for one in self.arguments]


def _quoted(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'


def draw(dice: random.Random) -> Page:
    many = dice.sample(tuple(PARTS), dice.choice((1, 2, 3, 4, 5, 5, 6)))
    common = ("title", "story", "picture", "clip", "sound")
    parts = dice.sample(common, dice.choice((3, 4, 5))) if dice.random() < 0.4 else many
    if dice.random() < 0.3:
        parts.sort(key=tuple(PARTS).index)
    return Page(tuple(parts), dice.choice(FRAMES) if dice.random() < 0.25 else "")
