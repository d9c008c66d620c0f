"""Inputs: what is accepted, what is refused and where the pointer says so."""

import json
import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import InvalidInputs, UnknownKind
from pipelines.kinds import BLANK, KINDS, inputs_of, parse_inputs, pointer, schema_of

LEAST = {kind: cls.example for kind, cls in KINDS.items()} | {
    "image-to-image": {"prompt": "a red circle", "image": {"upload": "u1"}},
    "text": {"prompt": "Once upon a time"},
}


WITH_UNIT = {
    "n",
    "width",
    "height",
    "steps",
    "factor",
    "frames",
    "fps",
    "duration_seconds",
    "tempo",
    "max_tokens",
}


def problems(kind, **changes):
    with pytest.raises(InvalidInputs) as caught:
        parse_inputs(kind, {**LEAST[kind], **changes})
    return {problem.pointer: problem.detail for problem in caught.value.problems}


def outcome(kind, raw):
    """The inputs, or None and the pointers of the problems."""
    try:
        return parse_inputs(kind, raw), []
    except InvalidInputs as error:
        return None, [problem.pointer for problem in error.problems]


@pytest.mark.parametrize("kind", KINDS)
def test_the_least_is_enough_and_reads_back_from_json(kind):
    inputs = parse_inputs(kind, LEAST[kind])

    assert inputs.kind == kind
    assert inputs.cost() > 0
    assert parse_inputs(kind, json.loads(json.dumps(inputs.as_json()))) == inputs


def test_an_unknown_kind_says_what_there_is():
    with pytest.raises(UnknownKind, match="text-to-image") as caught:
        inputs_of("text-to-smell")
    assert caught.value.problems[0].pointer == "/kind"


@pytest.mark.parametrize(
    ("kind", "changes", "where"),
    [
        ("text-to-image", {"steps": 0}, "/inputs/steps"),
        ("text-to-image", {"steps": 1.0}, "/inputs/steps"),
        ("text-to-image", {"steps": "20"}, "/inputs/steps"),
        ("text-to-image", {"steps": True}, "/inputs/steps"),
        ("text-to-image", {"steps": 10**30}, "/inputs/steps"),
        ("text-to-image", {"width": 65}, "/inputs/width"),
        ("text-to-image", {"guidance": float("nan")}, "/inputs/guidance"),
        ("text-to-image", {"guidance": float("inf")}, "/inputs/guidance"),
        ("text-to-image", {"guidance": 10**400}, "/inputs/guidance"),
        ("text-to-image", {"seed": -1}, "/inputs/seed"),
        ("text-to-image", {"seed": 2**32}, "/inputs/seed"),
        ("text-to-image", {"n": 17}, "/inputs/n"),
        ("text-to-image", {"scheduler": "best"}, "/inputs/scheduler"),
        ("text-to-image", {"prompt": None}, "/inputs/prompt"),
        ("text-to-image", {"prompt": ""}, "/inputs/prompt"),
        ("text-to-image", {"prompt": " \t\n\u3000"}, "/inputs/prompt"),
        ("text-to-image", {"prompt": "a\0b"}, "/inputs/prompt"),
        ("text-to-image", {"prompt": "half \ud83d"}, "/inputs/prompt"),
        ("text-to-image", {"prompt": "x" * 4001}, "/inputs/prompt"),
        ("text-to-image", {"negative_prompt": "\0"}, "/inputs/negative_prompt"),
        ("text-to-image", {"colour": "red"}, "/inputs/colour"),
        ("text-to-image", {"a/b~c": 1}, "/inputs/a~1b~0c"),
        ("image-to-image", {"strength": 0}, "/inputs/strength"),
        ("image-to-image", {"strength": 0.01}, "/inputs/strength"),
        ("image-to-image", {"image": "u1"}, "/inputs/image"),
        ("image-to-image", {"image": {}}, "/inputs/image"),
        ("image-to-image", {"image": {"upload": "u1", "job": "job_" + "0" * 24}}, "/inputs/image"),
        ("image-to-image", {"image": {"upload": "../u1"}}, "/inputs/image/upload"),
        ("image-to-image", {"image": {"job": "job_1"}}, "/inputs/image/job"),
        ("image-to-image", {"image": {"job": "#first", "artifact": "../0.png"}}, "/inputs/image/artifact"),
        ("image-to-image", {"image": {"upload": "u1", "artifact": "0.png"}}, "/inputs/image/artifact"),
        ("text-to-image", {"prompt": {"job": "job_1"}}, "/inputs/prompt/job"),
        ("text-to-image", {"prompt": {"job": "#a", "artifact": "../0"}}, "/inputs/prompt/artifact"),
        ("text-to-image", {"prompt": {"job": "#a", "(words)": 1}}, "/inputs/prompt/(words)"),
        ("text-to-image", {"prompt": {"upload": "u1", "job": "#a"}}, "/inputs/prompt/upload"),
        ("text-to-image", {"prompt": {}}, "/inputs/prompt/job"),
        ("text-to-image", {"negative_prompt": {"job": "#a"}}, "/inputs/negative_prompt"),
        ("text-to-image", {"loras": [{"scale": 1.0}]}, "/inputs/loras/0/name"),
        ("text-to-image", {"loras": [{"name": "a"}, {"name": "a"}]}, "/inputs/loras"),
        ("text-to-image", {"loras": [{"name": "a", "scale": 5.0}]}, "/inputs/loras/0/scale"),
        ("text-to-image", {"loras": [{"name": "../a"}]}, "/inputs/loras/0/name"),
        ("text-to-image", {"format": "mp4"}, "/inputs/format"),
        ("inpaint", {"mask": None}, "/inputs/mask"),
        ("inpaint", {"strength": 0.01}, "/inputs/strength"),
        ("upscale", {"video": {"upload": "u1"}}, "/inputs/image"),
        ("upscale", {"image": None}, "/inputs/image"),
        ("upscale", {"format": "mp4"}, "/inputs/format"),
        ("upscale", {"factor": 3}, "/inputs/factor"),
        ("text-to-video", {"frames": 258}, "/inputs/frames"),
        ("text-to-video", {"fps": 0}, "/inputs/fps"),
        ("text-to-video", {"fps": 23.976}, "/inputs/fps"),
        ("text-to-video", {"extras": ["gif", "gif"]}, "/inputs/extras"),
        ("text-to-video", {"extras": ["png"]}, "/inputs/extras/0"),
        ("image-to-video", {"motion": 256}, "/inputs/motion"),
        ("video-to-video", {"strength": 0.01}, "/inputs/strength"),
        ("text-to-music", {"duration_seconds": 0.5}, "/inputs/duration_seconds"),
        ("text-to-music", {"tempo": 29}, "/inputs/tempo"),
        ("text-to-music", {"key": "H major"}, "/inputs/key"),
        ("text-to-music", {"metre": "4"}, "/inputs/metre"),
        ("text-to-music", {"instruments": ["piano", " "]}, "/inputs/instruments/1"),
        ("text-to-music", {"instruments": ["x" * 41]}, "/inputs/instruments/0"),
        ("text-to-music", {"instruments": ["piano"] * 17}, "/inputs/instruments"),
        ("continue-music", {"audio": {}}, "/inputs/audio"),
        ("chat", {"messages": []}, "/inputs/messages"),
        ("chat", {"messages": [{"role": "tool", "content": "a"}]}, "/inputs/messages/0/role"),
        ("chat", {"messages": [{"role": "user", "content": " "}]}, "/inputs/messages/0/content"),
        ("chat", {"messages": [{"role": "assistant", "content": "a"}]}, "/inputs/messages"),
        ("chat", {"messages": [{"role": "user", "content": "x" * 60_000}] * 2}, "/inputs/messages"),
        ("code", {"prefix": " \n"}, "/inputs/prompt"),
        ("code", {"language": "py\n"}, "/inputs/language"),
        ("text", {"stop": ["a", ""]}, "/inputs/stop/1"),
        ("text", {"stop": "end"}, "/inputs/stop"),
        ("text", {"temperature": -0.1}, "/inputs/temperature"),
        ("text", {"top_p": 0}, "/inputs/top_p"),
        ("text", {"min_p": 1.1}, "/inputs/min_p"),
    ],
)
def test_what_is_not_valid_is_refused_where_it_stands(kind, changes, where):
    assert list(problems(kind, **changes)) == [where]


def test_every_problem_is_told_at_once():
    assert problems("text-to-image", steps=0, width=-8, colour="red").keys() == {
        "/inputs/steps",
        "/inputs/width",
        "/inputs/colour",
    }


@pytest.mark.parametrize(
    "prompt",
    ["🦊 in snow", "مرحبا بالعالم", "<script>alert(1)</script>", "100 %s %d {0}", "a'; --", "\u202etxt"],
)
def test_any_text_that_people_write_is_a_prompt(prompt):
    assert parse_inputs("text-to-image", {"prompt": prompt}).prompt == prompt


@given(st.text())
def test_a_prompt_is_refused_or_kept_as_it_is(prompt):
    inputs, pointers = outcome("text", {"prompt": prompt})

    assert pointers == ["/inputs/prompt"] if inputs is None else inputs.prompt == prompt


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_a_wrong_value_never_raises_anything_else(value):
    for kind in KINDS:
        for name in inputs_of(kind).model_fields:
            _, pointers = outcome(kind, {**LEAST[kind], name: value})
            elsewhere = {where for where in pointers if not where.startswith(f"/inputs/{name}")}
            assert elsewhere <= NO_SCHEMA_SAYS.get(kind, set())


def test_files_are_the_references():
    inputs = parse_inputs("image-to-image", {"prompt": "a", "image": {"job": "#first", "artifact": "0.png"}})

    (name, reference), *others = inputs.files().items()
    assert (name, reference.job, reference.artifact, reference.upload) == ("image", "#first", "0.png", "")
    assert others == []
    assert inputs.as_json()["image"] == {"job": "#first", "artifact": "0.png"}


def test_the_words_of_another_job_are_a_text_and_no_file():
    raw = {"prompt": {"job": "#tale"}, "image": {"upload": "u1"}}
    inputs = parse_inputs("image-to-image", raw)

    assert {name: text.job for name, text in inputs.texts().items()} == {"prompt": "#tale"}
    assert inputs.files().keys() == {"image"}
    assert inputs.as_json()["prompt"] == {"job": "#tale"}


def test_too_long_a_prompt_is_told_in_characters():
    assert problems("text-to-image", prompt="x" * 4001) == {
        "/inputs/prompt": "must have at most 4000 characters"
    }


@pytest.mark.parametrize(
    ("given", "format", "gives"), [("image", "png", "image"), ("video", "mp4", "video")], ids=str
)
def test_an_upscale_gives_what_it_was_given(given, format, gives):
    inputs = parse_inputs("upscale", {given: {"upload": "u1"}})

    assert (inputs.format, inputs.gives()) == (format, gives)
    assert parse_inputs("upscale", inputs.as_json()) == inputs


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_that_takes_a_file_says_what_it_may_be(kind):
    schema = schema_of(kind)
    takes_a_file = {name for name, field in schema["properties"].items() if "FileRef" in json.dumps(field)}

    assert takes_a_file == set(KINDS[kind].media)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_key_can_be_compared_and_hashed(kind):
    loras = {"loras": [{"name": "a"}]} if "loras" in KINDS[kind].model_fields else {}
    key = parse_inputs(kind, {**LEAST[kind], **loras}).batch_key()

    assert len({key, parse_inputs(kind, {**LEAST[kind], **loras}).batch_key()}) == 1
    if loras:
        assert key != parse_inputs(kind, LEAST[kind]).batch_key()


def test_what_shares_a_batch_is_equal_in_what_the_pipeline_takes_once():
    def key(**changes):
        return parse_inputs("text-to-image", {"prompt": "a", **changes}).batch_key()

    assert key() == key(prompt="b", seed=5, n=3, negative_prompt="c")
    for change in ({"width": 64}, {"height": 64}, {"steps": 3}, {"guidance": 1}, {"scheduler": "ddim"}):
        assert key(**change) != key()


def test_cost_grows_with_the_work():
    once = parse_inputs("text-to-image", {"prompt": "a"}).cost()
    assert parse_inputs("text-to-image", {"prompt": "a", "n": 4}).cost() == pytest.approx(4 * once)
    assert parse_inputs("text-to-image", {"prompt": "a", "width": 1024}).cost() == pytest.approx(2 * once)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_explained_in_the_schema(kind):
    schema = schema_of(kind)

    assert schema["additionalProperties"] is False
    assert schema["description"] == KINDS[kind].summary
    for name, field in schema["properties"].items():
        assert "description" in field or "$ref" in field, name
    for definition in schema.get("$defs", {}).values():
        assert all("description" in field for field in definition["properties"].values())
    assert WITH_UNIT & schema["properties"].keys() == {
        name for name, field in schema["properties"].items() if "unit" in field
    }


def test_a_pointer_is_escaped():
    assert pointer("inputs", "a/b", 0, "~") == "/inputs/a~1b/0/~0"


def allowed(field, definitions):
    """A strategy for what a field's schema allows."""
    if options := field.get("anyOf") or field.get("oneOf"):
        return st.one_of(*(allowed(each, definitions) for each in options))
    if "enum" in field:
        return st.sampled_from(field["enum"])
    if "$ref" in field:
        return allowed_objects(field["$ref"].rpartition("/")[2], definitions)
    if field["type"] == "array":
        items = allowed(field["items"], definitions)
        return st.lists(items, min_size=field.get("minItems", 0), max_size=field["maxItems"])
    return OF_TYPE[field["type"]](field)


def allowed_objects(name, definitions):
    if name == "FileRef":
        return st.just({"upload": "u1"})
    if name == "TextRef":
        return st.just({"job": "#a"})
    fields = definitions[name]["properties"].items()
    return st.fixed_dictionaries({name: allowed(field, definitions) for name, field in fields})


def allowed_texts(field):
    some = st.from_regex(field["pattern"], fullmatch=True)
    return some.filter(lambda text: field.get("minLength", 0) <= len(text) <= field.get("maxLength", 128))


def allowed_integers(field):
    step = field.get("multipleOf", 1)
    last = field.get("maximum", field.get("exclusiveMaximum", 0) - 1)
    return st.integers(field["minimum"] // step, last // step).map(lambda number: number * step)


def allowed_numbers(field):
    low = field.get("minimum", field.get("exclusiveMinimum"))
    return st.floats(low, field["maximum"], exclude_min="exclusiveMinimum" in field)


OF_TYPE = {
    "null": lambda field: st.none(),
    "string": allowed_texts,
    "integer": allowed_integers,
    "number": allowed_numbers,
}

NO_SCHEMA_SAYS = {
    "image-to-image": {"/inputs/strength"},  # that steps × strength is at least 1
    "inpaint": {"/inputs/strength"},
    "video-to-video": {"/inputs/strength", "/inputs/extras"},
    "upscale": {"/inputs/image", "/inputs/format"},  # that there is one thing, and a format for it
    "text-to-video": {"/inputs/extras"},  # that things are named once
    "image-to-video": {"/inputs/extras"},
    "chat": {"/inputs/messages"},  # that the last message asks
    "code": {
        "/inputs/prompt",
        "/inputs/tests",
    },  # that there is a prompt or a prefix, and a language of tests
}
ANYWHERE = {"/inputs/loras"}  # that each is named once


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20)
@given(data=st.data())
def test_what_the_schema_allows_is_accepted(kind, data):
    schema = schema_of(kind)
    fields = {name: allowed(field, schema.get("$defs", {})) for name, field in schema["properties"].items()}
    required = {name: fields.pop(name) for name in schema.get("required", ())}
    raw = data.draw(st.fixed_dictionaries(required, optional=fields))

    _, pointers = outcome(kind, raw)

    assert set(pointers) <= NO_SCHEMA_SAYS.get(kind, set()) | ANYWHERE


def test_the_pattern_of_a_prompt_knows_all_white_space():
    blank = re.compile(f"[{BLANK}]")
    every = map(chr, range(sys.maxunicode + 1))
    assert [char for char in every if bool(blank.match(char)) != char.isspace()] == []
