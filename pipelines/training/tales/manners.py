"""What it says to anything else: politely, what it can do."""

from __future__ import annotations

import random

from pipelines.training.tales.phrases import Grammar, words
from pipelines.training.tales.words import LIVES, THING_WORDS, TINTS, TRAITS

RULES = {
    "polite": "<sorry> <can> [<try>|]",
    "greeting": "[hello!|good day!|welcome!] <can> [<try>|]",
    "sorry": (
        "[I am sorry, but that is more than I know.|I am only a small teller of tales and do not know that."
        "|I would like to help, but I cannot do that.|that is beyond me, I am sorry.]"
    ),
    "can": (
        "I can [tell|write] short tales, find titles, write product blurbs and the words of a picture,"
        " and answer questions about a picture that you describe."
    ),
    "try": (
        '[try|ask me]: ["tell me a tale about a fox and a red boat."|"write a blurb for a blue lamp '
        'made of glass."'
        '|"picture: green tree, night."]'
    ),
}
GRAMMAR = Grammar(RULES, {})

GREETINGS = (
    "hello",
    "hi",
    "hey",
    "hello there",
    "good morning",
    "good evening",
    "good day",
    "hi there",
    "greetings",
    "who are you",
    "what are you",
    "what can you do",
    "help",
    "how can you help me",
    "what do you do",
    "what is your name",
    "hello, who are you",
    "how does this work",
    "what can I ask you",
    "are you there",
    "nice to meet you",
    "how are you",
    "how are you today",
)
ASKED = (
    "What is the capital of {place}?",
    "How do I {verb} a {thing}?",
    "Who wrote {work}?",
    "Why is the {thing} {tint}?",
    "What is {number} plus {number}?",
    "Calculate {number} times {number}.",
    "Translate this into {language}: {thing}",
    "How old is the {thing} of {place}?",
    "What is the weather in {place} today?",
    "Write a {code} program that can {verb} a {thing}.",
    "Give me a recipe for {food}.",
    "How do I cook {food}?",
    "What does {topic} mean?",
    "Explain {topic} to me.",
    "What is {topic}?",
    "Can you {verb} my {thing}?",
    "Who is the president of {place}?",
    "How far is it from {place} to {place}?",
    "Sing me a song.",
    "Do you like {food}?",
    "What do you think of {topic}?",
    "Tell me about {topic}.",
    "Tell me the news.",
    "Tell me a joke.",
    "I need help with {topic}.",
    "How many people live in {place}?",
    "When did {topic} begin?",
    "Is {topic} dangerous?",
    "What should I {verb} today?",
    "Where can I buy a {thing}?",
    "How much does a {thing} cost?",
    "Book a flight to {place}.",
    "Solve the equation {number} x = {number}.",
    "Summarise {work} for me.",
    "Who won the match between {place} and {place}?",
    "What time is it in {place}?",
    "Please {verb} the {thing} for me.",
    "I feel {trait} today.",
    "My {who} is {trait}. What can I do?",
    "Is it true that a {who} can {verb}?",
    "Define {topic}.",
    "List {number} facts about {topic}.",
    "What is the best {thing}?",
    "Write an email to my {who} about {topic}.",
    "Write a poem about {topic}.",
    "Draw a {thing}.",
    "Play some music.",
    "Open the {thing}.",
    "How can I learn {language}?",
    "What is the meaning of life?",
    "What is your favourite {food}?",
    "Thank you.",
    "That is all.",
    "Can you speak {language}?",
    "Are you a {who}?",
    "Do you know {place}?",
    "Let us talk about {topic}.",
    "{topic}",
    "{place}?",
)
FILLED = {
    "place": words(
        "France Paris Berlin Japan Brazil London Rome Egypt Canada China Spain Norway Boston Kenya Peru "
        "India Texas Mars"
    ),
    "verb": words(
        "repair build paint open clean sell find move break cook drive fly sing learn fix install write "
        "sort compute"
    ),
    "work": [
        "Hamlet",
        "the Bible",
        "Faust",
        "War and Peace",
        "the Odyssey",
        "this book",
        "the ninth symphony",
        "that article",
        "the report",
    ],
    "language": words("French German Spanish Latin Chinese Russian English Python"),
    "food": [
        "soup",
        "bread",
        "pancakes",
        "rice with beans",
        "a chocolate cake",
        "spaghetti",
        "salad",
        "fried eggs",
        "pizza",
        "curry",
    ],
    "code": ["Python", "Java", "Rust", "C", "JavaScript"],
    "topic": [
        "gravity",
        "the war",
        "quantum physics",
        "history",
        "football",
        "inflation",
        "electricity",
        "love",
        "politics",
        "the climate",
        "chess",
        "medicine",
        "taxes",
        "the internet",
        "machine learning",
        "philosophy",
        "the stock market",
        "photosynthesis",
        "space travel",
        "dinosaurs",
        "mathematics",
        "the French revolution",
        "volcanoes",
        "cancer",
        "a black hole",
        "DNA",
        "music theory",
        "gardening",
        "bitcoin",
        "religion",
        "the economy",
        "energy",
        "time",
    ],
    "thing": [
        *THING_WORDS,
        *words("computer phone engine sky file window bike letter printer website database"),
    ],
    "who": [*LIVES, *["friend", "boss", "mother", "father", "sister", "brother", "neighbour"]],
    "tint": list(TINTS),
    "trait": [*TRAITS, *["angry", "bored", "ill", "worried", "sick", "nervous"]],
    "number": [str(number) for number in range(2, 60)],
}


def question(dice: random.Random) -> tuple[str, str]:
    """Something that it cannot answer, or a greeting; and the rule of what it says to that."""
    if dice.random() < 0.3:
        words, rule = dice.choice(GREETINGS), "greeting"
        words += dice.choice(
            ("?", "?", "", "!") if words.split()[0] in ("who", "what", "how", "are") else ("", ".", "!", "!")
        )
    else:
        words, rule = _filled(dice.choice(ASKED), dice), "polite"
        words = words.rstrip("?.!") if dice.random() < 0.2 else words
    return (words[0].upper() + words[1:] if dice.random() < 0.8 else words[0].lower() + words[1:]), rule


def _filled(words: str, dice: random.Random) -> str:
    for name, values in FILLED.items():
        while f"{{{name}}}" in words:
            words = words.replace(f"{{{name}}}", dice.choice(values), 1)
    return words


def answer(dice: random.Random, rule: str) -> str:
    return GRAMMAR.say(rule, {}, dice)


def is_polite(text: str) -> bool:
    """Whether a text says what it can do."""
    return any(GRAMMAR.read(rule, text) is not None for rule in ("polite", "greeting"))
