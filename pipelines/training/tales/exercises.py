"""What the model learns and is examined in: a conversation, a right answer, and how any answer is judged.

A judge sees only the answer (and what was asked). It gives the faults that it finds, none for a good answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from pipelines.training.scenes.vocabulary import THINGS
from pipelines.training.tales import blurbs, manners, scenes, story
from pipelines.training.tales.phrases import Facts
from pipelines.training.tales.questions import answer as answer_of
from pipelines.training.tales.questions import answers, questions
from pipelines.training.tales.questions import told as told_with
from pipelines.training.tales.requests import names_all, request, wanted_words

Faults = list[str]
Judge = Callable[[str], Faults]


@dataclass(frozen=True)
class Exercise:
    """`turns` are what the user said, what was answered, and so on; the last is the user's. A text that goes
    on from a beginning has one turn and `begins`: then the beginning is learned too."""

    task: str
    turns: tuple[str, ...]
    answer: str
    judge: Judge = field(compare=False)
    chat: bool = True
    begins: bool = False


def tale(dice: random.Random, held_out: bool = False) -> Exercise:
    """A tale with its title from a request that names some of its facts."""
    facts = _tale_facts(dice, held_out)
    asked, wanted = request(dice, facts)
    title, text, _ = story.compose(dice, facts)
    if dice.random() < 0.02:  # a beginning said in a conversation asks for any tale
        beginning = " ".join(text.split()[: dice.choice((2, 4, 4, 4))])
        return Exercise("tale", (beginning,), f"{title}\n\n{text}", lambda made: judge_tale(made, {}))
    return _asked(dice, "tale", asked, f"{title}\n\n{text}", lambda made: judge_tale(made, wanted))


def begun(dice: random.Random, held_out: bool = False) -> Exercise:
    """A tale that goes on from its first words."""
    facts = _tale_facts(dice, held_out)
    text = story.compose(dice, facts)[1]
    words = text.split(" ")
    cut = dice.choice((2, 3, 4, 4, 5, 6, 7, 8, 10, 14, 20))
    beginning, rest = " ".join(words[:cut]), " " + " ".join(words[cut:])
    return Exercise("begun", (beginning,), rest, lambda made: judge_text(beginning + made)[0], False, True)


def pictured(dice: random.Random, held_out: bool = False) -> Exercise:
    """The words of a picture from a tale: what was looked for if it can be drawn, else where it was."""
    facts = _tale_facts(dice, held_out)
    title, text, _ = story.compose(dice, facts)
    wanted = picture_of(facts)
    said = scenes.compose(dice, scenes.EMPTY | wanted)

    def judge(made: str) -> Faults:
        return [] if scenes.read_caption(made, wanted) else ["caption"]

    whole = f"{title}\n\n{text}"
    if dice.random() < 0.7:
        return Exercise("caption of a tale", (whole,), said, judge, chat=False)
    asked, _ = request(dice, facts)
    return Exercise("caption of a tale", (asked, whole, dice.choice(PICTURE_IT)), said, judge)


PICTURE_IT = (
    "Picture:",
    "Picture?",
    "What does the picture show?",
    "Write a caption for its picture.",
    "Describe a picture for it.",
    "Give me words for a picture of it.",
    "And the picture?",
)


def title(dice: random.Random, held_out: bool = False) -> Exercise:
    """A title for a tale."""
    facts = _tale_facts(dice, held_out)
    name, text, _ = story.compose(dice, facts)
    ask = dice.choice(TITLE_ASKED)
    return _asked(dice, "title", ask.format(text), name, lambda made: _title_faults(made, facts))


TITLE_ASKED = (
    "Give this tale a title: {}",
    "Give this story a title:\n{}",
    "Find a title for this tale:\n\n{}",
    "Title for this story: {}",
    "What is a good title for this tale? {}",
    "{}\n\nTitle:",
    "{}\nTitle:",
    "{}\n\nGive it a title.",
    "{}\n\nWhat is a good title?",
)


def named(dice: random.Random, held_out: bool = False) -> Exercise:
    """A title that says one or two things asked for."""
    facts = _tale_facts(dice, held_out)
    roles = dice.choice((("hero", "thing"), ("thing", "when"), ("hero", "when"), ("thing",), ("hero",)))
    wanted = {role: facts[role] for role in roles}
    if "thing" in roles and dice.random() < 0.6:
        wanted["colour"] = facts["colour"]
    if "hero" in roles and facts["hero"] in THINGS and "thing" in roles:
        wanted |= {"coat": facts["coat"], "colour": facts["colour"]}
    facts = facts | {"name": "none"}
    name = story.title_of(dice, facts, wanted)
    words = dice.choice((", ", " and ")).join(wanted_words(dice, wanted))
    asked = dice.choice(NAME_ASKED).format(words)
    return _asked(dice, "title from words", asked, name, lambda made: _title_faults(made, wanted))


NAME_ASKED = (
    "Title: {}",
    "title: {}",
    "Title words: {}",
    "A title about {}",
    "Give me a title for a tale about {}.",
    "Find a title for a story about {}.",
    "Write a title with {}.",
    "Title for a tale of {}",
)


def blurb(dice: random.Random, held_out: bool = False) -> Exercise:
    """A product blurb from a few facts."""
    facts = _drawn(lambda: blurbs.draw_facts(dice), blurbs.is_held_out, held_out)

    def judge(made: str) -> Faults:
        return [] if blurbs.read_blurb(made, facts) else ["facts" if blurbs.reads(made) else "grammar"]

    return _asked(dice, "blurb", blurbs.request(dice, facts), blurbs.compose(dice, facts), judge)


def picture(dice: random.Random, held_out: bool = False) -> Exercise:
    """The words of a picture from given words."""
    facts = _drawn(lambda: scenes.draw_facts(dice), scenes.is_held_out, held_out)
    wanted = scenes.wanted_of(dice, facts)

    def judge(made: str) -> Faults:
        return [] if scenes.read_caption(made, wanted) else ["caption"]

    return _asked(dice, "caption", scenes.picture_request(dice, wanted), scenes.compose(dice, facts), judge)


def asked(dice: random.Random, held_out: bool = False) -> Exercise:
    """A question about a scene; in half of all, after other questions about it."""
    facts = _drawn(lambda: scenes.draw_facts(dice, (1, 2, 2, 3), 0.1), scenes.is_held_out, held_out)
    several = questions(dice, facts)[: dice.choice((1, 1, 2, 3))]
    turns = [told_with(dice, scenes.compose(dice, facts), several[0].text)]
    for before, after in pairwise(several):
        turns += [answer_of(dice, before), after.text]
    last = several[-1]

    def judge(made: str) -> Faults:
        return [] if answers(made, last) else ["answer"]

    chat = len(turns) > 1 or dice.random() < 0.6
    return Exercise("question", tuple(turns), answer_of(dice, last), judge, chat)


def anything(dice: random.Random, held_out: bool = False) -> Exercise:
    """Something that it cannot do, or a greeting."""
    words, rule = manners.question(dice)

    def judge(made: str) -> Faults:
        return [] if manners.is_polite(made) else ["manners"]

    return Exercise("anything else", (words,), manners.answer(dice, rule), judge, dice.random() < 0.8)


TASKS: dict[Callable[..., Exercise], float] = {  # and their shares of the exercises
    tale: 0.36,
    begun: 0.07,
    pictured: 0.07,
    title: 0.03,
    named: 0.08,
    blurb: 0.12,
    picture: 0.11,
    asked: 0.11,
    anything: 0.05,
}


def draw(dice: random.Random) -> Exercise:
    """One to learn from; never of a combination that is held out."""
    return dice.choices(list(TASKS), list(TASKS.values()))[0](dice)


def judge_tale(made: str, wanted: Facts) -> Faults:
    """A title, a blank line, a tale; all that was wanted is in the tale, in its part."""
    name, _, text = made.partition("\n\n")
    faults, facts = judge_text(text)
    if facts is None:
        return faults
    if not names_all(facts, wanted):
        faults.append("words")
    return faults + _title_faults(name, facts)


def judge_text(text: str) -> tuple[Faults, Facts | None]:
    """The faults of a tale without its title, and its facts if it can be read."""
    facts = story.read_tale(text)
    if facts is not None:
        return [], facts
    return ["facts" if story.grammatical(text) else "grammar"], None


def picture_of(facts: Facts) -> Facts:
    """What the picture of a tale shows."""
    drawable = facts["thing"] in THINGS
    shown = ("thing", "colour") if drawable else ("mark", "markcolour")
    return {"thing1": facts[shown[0]], "colour1": facts[shown[1]], "ground": facts["when"]}


def _title_faults(made: str, facts: Facts) -> Faults:
    told = story.read_title(made, facts)
    return [] if told is not None and facts.items() <= told.items() and _says(made, facts) else ["title"]


def _says(made: str, facts: Facts) -> bool:
    """Whether a title that was asked for in words says them; the title of a whole tale need not say all."""
    free = story.read_title(made, {})
    return "plot" in facts or (free is not None and facts.items() <= free.items())


def _tale_facts(dice: random.Random, held_out: bool) -> Facts:
    return _drawn(lambda: story.draw_facts(dice), story.is_held_out, held_out)


def _drawn(drawn: Callable[[], Facts], is_held_out: Callable[[Facts], bool], held_out: bool) -> Facts:
    while is_held_out(facts := drawn()) != held_out:
        pass
    return facts


def _asked(dice: random.Random, task: str, words: str, answer: str, judge: Judge) -> Exercise:
    chat = dice.random() < 0.5
    words += "" if chat else dice.choice(("", "", "", "\n", "\n\n"))
    return Exercise(task, (words,), answer, judge, chat)
