"""Questions about a scene that is told in words, and answers, which a parser holds against the scene."""

from __future__ import annotations

import random
from dataclasses import dataclass

from pipelines.training.scenes.vocabulary import COLOURS, THINGS
from pipelines.training.tales import scenes
from pipelines.training.tales.phrases import Facts, Grammar
from pipelines.training.tales.scenes import IT_IS, OPPOSITES, PLACES, RELATIONS


@dataclass(frozen=True)
class Question:
    """A question, the rule that answers it, and the facts of a true answer."""

    text: str
    rule: str
    facts: Facts


def _lexicon() -> dict[str, dict[str, dict[str, str]]]:
    words = scenes.GRAMMAR.lexicon
    return {
        "asked": words["thing1"],
        "colour": words["colour1"],
        "place": {key: {"word": PLACES[key][0]} for key in PLACES},
        "relation": {key: {"word": RELATIONS[key][0]} for key in RELATIONS},
        "other": words["thing2"],
        "othercolour": words["colour2"],
        "third": words["thing3"],
        "thirdcolour": words["colour3"],
        "ground": {key: {"is": forms["is"]} for key, forms in words["ground"].items() if key != "none"},
        "count": {key: {"word": word} for key, word in scenes.COUNTS.items()},
        "yes": {"yes": {}, "no": {}},
    }


RULES = {
    "colour": "[the {asked.word}|it] is {colour.word}.",
    "place": "[the {asked.word}|it] is {place.word}.",
    "relation": "[the {asked.word}|it] is {relation.word} the {other.word}.",
    "what": "[{place.word} is|it is|there is] a~ {colour.word} {asked.word}.",
    "ground": "{ground.is}.",
    "unsaid": "[the words do not say|that is not said].",
    "there": "[{yes=yes} yes, there is a~ {asked.word}.|{yes=no} no, there is no {asked.word}.]",
    "is": "[{yes=yes} yes, it is {colour.word}.|{yes=no} no, it is {colour.word}.]",
    "where-is": (
        "[{yes=yes} yes, it is {relation.word} the {other.word}.|{yes=no} no, it is {relation.word} "
        "the {other.word}.]"
    ),
    "count": (
        "{count.word}: [{other=none} a~ {colour.word} {asked.word}"
        "|{third=none} a~ {colour.word} {asked.word} and a~ {othercolour.word} {other.word}"
        "|a~ {colour.word} {asked.word}, a~ {othercolour.word} {other.word} and a~ "
        "{thirdcolour.word} {third.word}]."
    ),
}
GRAMMAR = Grammar(RULES, _lexicon())


def questions(dice: random.Random, facts: Facts) -> list[Question]:
    """Every kind of question that this scene can answer, each once, in some order."""
    things = [at for at in "123" if facts[f"thing{at}"] != "none"]
    asked = [*_of_things(dice, facts, things), _presence(dice, facts, things), _count(dice, facts, things)]
    asked.append(_ground(dice, facts))
    if facts["relation"] != "none":
        asked += _relations(dice, facts)
    dice.shuffle(asked)
    return asked


def answer(dice: random.Random, question: Question) -> str:
    return GRAMMAR.say(question.rule, question.facts, dice)


def answers(text: str, question: Question) -> bool:
    """Whether a text is a true answer: in the grammar, and with just these facts."""
    told = GRAMMAR.read(question.rule, text)
    return told is not None and all(question.facts[role] == key for role, key in told.items())


def _of_things(dice: random.Random, facts: Facts, things: list[str]) -> list[Question]:
    at = dice.choice(things)
    thing, colour, place = (facts[f"{role}{at}"] for role in ("thing", "colour", "place"))
    doubt = colour if dice.random() < 0.5 else dice.choice([c for c in COLOURS if c != colour])
    found = [
        Question(
            _choose(
                dice,
                f"What colour is the {thing}?",
                f"What color is the {thing}?",
                f"Which colour does the {thing} have?",
            ),
            "colour",
            {"asked": thing, "colour": colour},
        ),
        Question(
            f"Is the {thing} {doubt}?", "is", {"colour": colour, "yes": "yes" if doubt == colour else "no"}
        ),
    ]
    if place != "none":
        where = _choose(
            dice, f"Where is the {thing}?", f"Where can I see the {thing}?", f"Where does the {thing} stand?"
        )
        there = PLACES[place][0]
        what = _choose(dice, f"What is {there}?", f"What do you see {there}?", f"What can be seen {there}?")
        found.append(Question(where, "place", {"asked": thing, "place": place}))
        found.append(Question(what, "what", {"asked": thing, "place": place, "colour": colour}))
    return found


def _presence(dice: random.Random, facts: Facts, things: list[str]) -> Question:
    here = [facts[f"thing{at}"] for at in things]
    thing = dice.choice(here if dice.random() < 0.5 else [t for t in THINGS if t not in here])
    a = "an" if thing[0] in "aeiou" else "a"
    text = _choose(
        dice, f"Is there {a} {thing}?", f"Is there {a} {thing} in the picture?", f"Can you see {a} {thing}?"
    )
    return Question(text, "there", {"asked": thing, "yes": "yes" if thing in here else "no"})


def _count(dice: random.Random, facts: Facts, things: list[str]) -> Question:
    text = _choose(
        dice,
        "How many things are there?",
        "What is in the picture?",
        "What can you see?",
        "Describe the picture.",
        "How many things can you see?",
    )
    told = {"asked": facts["thing1"], "colour": facts["colour1"], "count": str(len(things))}
    told |= {"other": facts["thing2"], "othercolour": facts["colour2"]}
    return Question(text, "count", {**told, "third": facts["thing3"], "thirdcolour": facts["colour3"]})


def _ground(dice: random.Random, facts: Facts) -> Question:
    said = facts["ground"]
    if said in IT_IS:
        text = _choose(
            dice,
            "Is it day or night?",
            "What time of day is it?",
            "When or where is it?",
            "What is the background?",
        )
    else:
        text = _choose(
            dice, "What is the background?", "What colour is the background?", "What is behind it?"
        )
    if said == "none":
        return Question(text, "unsaid", {})
    return Question(text, "ground", {"ground": said})


def _relations(dice: random.Random, facts: Facts) -> list[Question]:
    first, second, relation = facts["thing1"], facts["thing2"], facts["relation"]
    if dice.random() < 0.5:
        first, second, relation = second, first, OPPOSITES[relation]
    doubt = relation if dice.random() < 0.5 else OPPOSITES[relation]
    truth = {"asked": first, "other": second, "relation": relation}
    return [
        Question(f"Where is the {first}?", "relation", truth),
        Question(
            f"Is the {first} {RELATIONS[doubt][0]} the {second}?",
            "where-is",
            {"other": second, "relation": relation, "yes": "yes" if doubt == relation else "no"},
        ),
    ]


def _choose(dice: random.Random, *texts: str) -> str:
    return dice.choice(texts)


TOLD = (
    "Picture: {}. {}",
    "Picture: {}\n{}",
    "Here is a picture: {}. {}",
    "In a picture there is {}. {}",
    "There is {}. {}",
    "Look at this picture: {}. {}",
    "Scene: {}. {}",
    "The picture shows {}. {}",
    "{}\nQuestion: {}",
    "{}. {}",
)


def told(dice: random.Random, caption: str, question: str) -> str:
    """The scene and the question in one message."""
    words = dice.choice(TOLD).format(caption, question if dice.random() < 0.8 else question.lower())
    return words[0].upper() + words[1:] if dice.random() < 0.75 else words
