"""The tales' grammar, which composes and reads; its exercises and their judges; how texts become rows."""

import math
import random
from collections import Counter

import pytest
import torch

from pipelines.training.tales import blurbs, evaluate, exam, exercises, learner, manners, scenes, story
from pipelines.training.tales.exercises import TASKS, Exercise, judge_tale, picture_of
from pipelines.training.tales.phrases import Grammar, joined
from pipelines.training.tales.tokens import NEW, READ_ONLY, ROW, SAID, Rows, Speller, build_tokenizer

OWL = {
    "plot": "search",
    "hero": "owl",
    "name": "Mira",
    "he": "she",
    "trait": "brave",
    "coat": "none",
    "home": "forest",
    "when": "night",
    "thing": "boat",
    "colour": "red",
    "helper": "fox",
    "friend": "none",
    "mark": "tree",
    "markcolour": "green",
    "side": "beside",
    "trouble": "river",
    "reason": "look",
    "lesson": "help",
}
TALE = (
    "Once there was a brave owl named Mira. She lived in a deep forest. She wished for a red boat to look at"
    " it every day. One dark night, she started to look for it. Soon the owl came to a deep river. Then a fox"
    ' came by and carried her across. "Look beside the green tree," explained the fox. At last she found the'
    " red boat beside a green tree. She took it home and was happy. The end."
)


@pytest.fixture
def dice():
    return random.Random(2026)


@pytest.mark.parametrize("make", TASKS)
def test_right_answers_pass_and_wrong_ones_do_not(make, dice):
    right, wrong, tried = exam.examine(make, 150, dice)

    assert right == 150
    assert wrong <= 0.05 * tried


def test_a_tale_tells_its_facts():
    facts = story.read_tale(TALE)

    assert facts.items() <= OWL.items()
    assert {"hero", "name", "colour", "thing", "when", "helper", "mark", "side", "trouble"} <= facts.keys()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("found the red boat", "found the blue boat"),  # it changes colour
        ("found the red boat", "found the red kite"),  # another thing is found
        ("explained the fox", "explained the wolf"),  # another helper
        ("carried her", "carried him"),  # she is he
        ("carried her across", "lent her a ladder"),  # help that does not fit the trouble
        ("beside a green tree.", "behind a green tree."),  # it is not where the fox said
        ("Soon the owl", "Soon Nora"),  # another name
        ("in a deep forest", "on a farm"),  # no home of an owl
        ("She took it home and was happy.", "How happy Mira was! The red boat was back."),  # never lost
        (" At last she found the red boat beside a green tree.", ""),  # never found
    ],
)
def test_facts_stay_as_they_are(old, new):
    changed = TALE.replace(old, new)

    assert changed != TALE
    assert story.grammatical(changed)
    assert story.read_tale(changed) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a brave owl", "an brave owl"),
        ("At last she", "At last her"),
        ("Soon", "soon"),
        ("forest.", "forest ."),
        ("a red boat", "red a boat"),
        ("was happy", "was"),
        (" The end.", " The"),
    ],
)
def test_a_fault_of_grammar_is_found(old, new):
    assert story.grammatical(TALE)
    assert not story.grammatical(TALE.replace(old, new))


def test_a_tale_is_judged_by_what_was_asked():
    whole = f"Mira and the red boat\n\n{TALE}"

    assert judge_tale(whole, {"hero": "owl", "colour": "red", "thing": "boat", "when": "night"}) == []
    assert judge_tale(whole, {"hero": "owl", "colour": "blue", "thing": "boat"}) == ["words"]
    assert judge_tale(whole, {"helper": "owl"}) == ["words"]
    assert judge_tale(whole.replace("Mira and", "Nora and"), {}) == ["title"]
    assert judge_tale(whole.replace("red boat\n", "Red Boat\n"), {}) == ["title"]
    assert judge_tale(TALE, {}) == ["grammar"]


def test_composed_facts_can_be_read_again(dice):
    for _ in range(50):
        facts = story.draw_facts(dice)
        title, text, _ = story.compose(dice, facts)

        assert story.read_tale(text).items() <= facts.items()
        assert story.read_title(title, facts) is not None


def test_a_blurb_leaves_nothing_out_and_invents_nothing():
    facts = dict.fromkeys(blurbs.OPTIONAL, "none") | {"product": "lamp", "colour": "red", "price": "12"}

    assert blurbs.read_blurb("Meet our red lamp. Yours for 12 coins.", facts)
    assert not blurbs.read_blurb("Meet our red lamp.", facts)
    assert not blurbs.read_blurb("Meet our red lamp. Yours for 13 coins.", facts)
    assert not blurbs.read_blurb("Meet our strong red lamp. Yours for 12 coins.", facts)


def test_a_caption_shows_what_was_asked_and_nothing_else():
    wanted = {"thing1": "boat", "colour1": "red", "ground": "sea"}

    assert scenes.read_caption("a red boat at sea", wanted)
    assert scenes.read_caption("a red boat on the left, on the water, in neon", wanted)
    assert not scenes.read_caption("a red boat", wanted)
    assert not scenes.read_caption("a red boat at night", wanted)
    assert not scenes.read_caption("a red boat and a blue star at sea", wanted)
    assert not scenes.read_caption("", wanted)


def test_the_picture_of_a_tale_shows_what_can_be_drawn():
    boat = {"thing1": "boat", "colour1": "red", "ground": "night"}

    assert picture_of(OWL) == boat
    assert picture_of(OWL | {"thing": "key"}) == boat | {"thing1": "tree", "colour1": "green"}


def test_what_is_held_out_is_never_learned(dice, monkeypatch):
    drawn = []
    watched = story.compose
    monkeypatch.setattr(story, "compose", lambda dice, facts: drawn.append(facts) or watched(dice, facts))

    learned = [exercises.tale(dice) for _ in range(100)]
    examined = [exercises.tale(dice, True) for _ in range(20)]

    assert len({one.answer for one in learned + examined}) == 120
    assert not any(story.is_held_out(facts) for facts in drawn[:100])
    assert all(story.is_held_out(facts) for facts in drawn[100:])


def test_manners_are_not_an_answer():
    assert manners.is_polite(manners.answer(random.Random(0), "polite"))
    assert not manners.is_polite("Paris is the capital of France.")


def test_a_rule_with_a_bracket_too_many_is_refused():
    with pytest.raises(ValueError, match="closed"):
        Grammar({"rule": "a b] c"}, {}).part("rule")


def test_tokens_become_a_text_with_its_spaces_and_capitals():
    said = ["a~", "owl", "came", ".", '"', "how", "do", "you", "do", ",", '"', "said", "a~", "fox", "."]
    assert joined(said) == 'An owl came. "How do you do," said a fox.'


def test_copied_runs_of_words_are_counted(monkeypatch):
    monkeypatch.setattr(
        evaluate, "training_texts", lambda steps: ["One two three four five six seven eight nine."]
    )

    shares = evaluate.copying(
        ["one two, three four five six seven eight"], ["two three four five six seven eight nine ten"], 1
    )

    assert shares == {"made": 1.0, "fresh": 0.5, "more": 0.5}


def test_texts_in_one_row_do_not_see_each_other():
    rows = Rows([([1, 5, 6, 2], [0, 0, 1, 1]), ([1, 7, 2], [0, 1, 1])]).tensors()

    assert rows["input_ids"].shape == (1, ROW)
    assert rows["input_ids"][0, :8].tolist() == [1, 5, 6, 2, 1, 7, 2, 0]
    assert rows["learned"][0, :8].tolist() == [0, 0, 1, 1, 0, 1, 1, 0]
    assert rows["position_ids"][0, :7].tolist() == [0, 1, 2, 3, 0, 1, 2]
    seen = rows["attention_mask"][0, 0] == 0
    assert (
        seen[:7, :7].tolist() == torch.block_diag(torch.ones(4, 4), torch.ones(3, 3)).tril().bool().tolist()
    )


def test_more_texts_than_a_row_holds_take_more_rows():
    rows = Rows([([1] * 200, [1] * 200)] * 3).tensors()

    assert rows["input_ids"].shape == (3, ROW)


@pytest.fixture(scope="module")
def speller():
    return Speller(build_tokenizer())


@pytest.mark.parametrize("begins", [False, True])
def test_a_word_that_was_said_before_is_told_apart(speller, begins):
    one = Exercise("tale", ("the owl and a fox",), " saw the owl", lambda made: [], False, begins)

    ids, learned = speller.spell(one)

    words = [speller.tokenizer.decode([token]).strip() for token in ids]
    assert [word for word, kind in zip(words, learned, strict=True) if kind == SAID] == ["owl"]
    assert words[-2] == "owl"
    assert learned[-2:] == [SAID, NEW]
    fox = words.index("fox")
    assert learned[: fox + 1] == [READ_ONLY] + [NEW if begins else READ_ONLY] * fox


def test_the_loss_is_the_mean_by_weights():
    ids, weights = torch.tensor([[7, 1, 2, 3]]), torch.tensor([[1.0, 0.0, 1.0, 3.0]])
    logits = torch.full((1, 4, 8), -50.0)
    logits[0, 0, 5] = 0  # wrong, but what stands there is only read
    logits[0, 1, [2, 4]] = 0  # one of two
    logits[0, 2, [3, 4, 5, 6]] = 0  # one of four

    assert learner.loss(logits, ids, weights).item() == pytest.approx((math.log(2) + 3 * math.log(4)) / 4)


def test_every_word_that_may_come_next_is_as_likely(dice):
    grammar = Grammar(
        {"row": "[[red|red|blue]|a~ {thing.word}|] [sky|{thing=none} hall]"},
        {"thing": {"owl": {"word": "owl"}, "none": {}}},
    )

    owls = Counter(grammar.say("row", {"thing": "owl"}, dice) for _ in range(4000))
    nones = Counter(grammar.say("row", {"thing": "none"}, dice) for _ in range(4000))

    assert set(owls) == {"Red sky", "Blue sky", "An owl sky", "Sky"}
    assert all(900 <= times <= 1100 for times in owls.values())
    assert {words.split()[0] for words in nones} == {"Red", "Blue", "Sky", "Hall"}
    assert 900 <= nones["Sky"] <= 1100
    assert 400 <= nones["Red hall"] <= 600


def test_a_tale_can_be_read_again_whatever_its_facts(dice):
    for _ in range(200):
        title, text, facts = story.compose(dice, story.draw_facts(dice))
        told = story.read_tale(text)
        assert told is not None
        assert told.items() <= facts.items()
        assert story.read_title(title, told) is not None


def test_an_exercise_is_the_same_each_time():
    def same() -> Exercise:
        return exercises.draw(random.Random("once"))

    assert same() == same()
