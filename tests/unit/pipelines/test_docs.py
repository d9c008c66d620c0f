"""The pages on kinds and models hold every field, as the code defines it."""

import json
from pathlib import Path

import pytest

from pipelines import errors
from pipelines.base import Capabilities
from pipelines.catalog import Catalog
from pipelines.errors import PipelineError
from pipelines.kinds import KINDS
from pipelines.kinds.tables import table
from pipelines.limits import Limit
from pipelines.loras import Lora
from pipelines.models import Model

DOCS = Path(__file__).parents[3] / "docs"


def model_row(name, field):
    default = "required" if field.is_required() else f"`{json.dumps(field.default)}`"
    return f"| `{name}` | {default} | {field.description} |"


def section(page, heading):
    text = (DOCS / page).read_text()
    assert f"\n## {heading}\n" in text, f"docs/{page} has no section {heading!r}"
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0].splitlines()


@pytest.mark.parametrize("kind", KINDS)
def test_every_input_of_a_kind_is_in_the_docs(kind):
    lines = section("kinds.md", f"`{kind}`")

    assert KINDS[kind].summary in lines
    assert [line for line in lines if line.startswith("|")] == list(table(kind))


def test_every_field_of_a_model_is_in_the_docs():
    rows = [model_row(name, field) for name, field in Model.model_fields.items()]
    assert [line for line in section("models.md", "The fields of a row") if line.startswith("| `")] == rows


def test_every_field_of_a_lora_is_in_the_docs():
    rows = [model_row(name, field) for name, field in Lora.model_fields.items()]
    assert [line for line in section("models.md", "LoRAs") if line.startswith("| `")] == rows


def test_the_example_rows_are_valid(tmp_path):
    for number, block in enumerate((DOCS / "models.md").read_text().split("```toml\n")[1:]):
        (tmp_path / f"{number}.toml").write_text(block.split("```")[0])

    catalog = Catalog.load(sorted(tmp_path.iterdir()))

    assert catalog.problems == ()
    assert "house/scenes" not in catalog.models
    assert list(catalog.models)[-1] == "me/fox"
    assert "me/small-talk" in catalog.not_offered


def test_every_limit_is_in_the_docs():
    rows = [f"| `{name}` | {field.description} |" for name, field in Limit.model_fields.items()]
    assert [line for line in section("models.md", "Limits") if line.startswith("| `")] == rows


def test_every_family_and_capability_is_in_the_docs():
    text = (DOCS / "families.md").read_text()
    for name in (*Capabilities.__dataclass_fields__, "stable_diffusion", "causal_lm"):
        assert f"`{name}`" in text


def test_every_error_is_in_the_docs():
    classes = [
        each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, PipelineError)
    ]
    rows = [
        f"| `{each.type}` | {'yes' if each.retryable else 'no'} | {each.__doc__.strip()} |"
        for each in classes
    ]
    assert [line for line in section("families.md", "Errors") if line.startswith("| `")] == rows
