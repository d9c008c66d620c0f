"""Every family with a tiny model of the real classes: alone, within a batch, stopped half-way, and through a
whole running Atelier, from a request over HTTP to the artifact.

`cases.py` says what a case is; `python -m tests.families` writes the table of docs/families.md from them.
"""

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from atelier import Client
from atelier.records import Job
from pipelines.base import load_family
from pipelines.catalog import Catalog
from pipelines.errors import Stopped
from pipelines.kinds import KINDS
from tests.families import samples
from tests.families.cases import Given
from tests.families.trying import CASES, Loaded, Told, difference, run

KINDS_OF_CASES = [(name, kind) for name, case in CASES.items() for kind in case.inputs]
LONG = {"steps": 150, "max_tokens": 900, "duration_seconds": 30}
"""What makes a tiny model busy for long enough to be stopped, where its kind has that field."""

pytestmark = [
    # diffusers hands tensors to numpy in a way that numpy 2.4 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    # Its sound codec is made with what torch deprecates.
    pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated:FutureWarning"),
    # Rounding makes Stable Audio's sampler ask for noise a hair outside its range.
    pytest.mark.filterwarnings("ignore:Should have t:UserWarning:torchsde"),
    # A tiny feature extractor hears too few frequencies; it is not used.
    pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values:UserWarning"),
]


@pytest.fixture(scope="session")
def loaded(models: Path) -> Loaded:
    return Loaded(Catalog.load([models]), models.parent)


@pytest.mark.parametrize(("name", "kind"), KINDS_OF_CASES)
def test_alone_and_in_a_batch_it_is_the_same_sample(loaded: Loaded, name: str, kind: str) -> None:
    pipeline, case = loaded.get(name), CASES[name]
    requests = [loaded.request(name, kind, number) for number in range(2)]
    told = Told()

    alone = [run(pipeline, [request], told)[0][0] for request in requests]

    assert told.steps
    assert all(0 < step <= total for step, total in told.steps)
    assert (difference(*alone) > 0) is case.drawn, "seed and words make a difference"
    for output, request in zip(alone, requests, strict=True):
        again = run(pipeline, [request], Told())[0][0]
        assert difference(output, again) == 0 or not pipeline.capabilities.repeats
    if case.alone:
        assert pipeline.capabilities.max_batch == 1
        return
    together = [outputs[0] for outputs in run(pipeline, requests, Told())]
    assert max(map(difference, alone, together)) <= case.tolerance + 1e-6  # what is compared is rounded, too
    if not case.serves:
        assert {output.bucket for output in together} == {min(2, pipeline.capabilities.most(kind))}


@pytest.mark.parametrize("name", CASES)
def test_a_stop_ends_it_and_leaves_it_usable(loaded: Loaded, name: str) -> None:
    pipeline, kind = loaded.get(name), next(iter(CASES[name].inputs))
    request = loaded.request(name, kind, 0)
    before = run(pipeline, [request], whole := Told())[0][0]
    if len(whole.steps) < 2:
        pytest.fail(f"{name} tells no progress before its end")

    stopped = Told(stop_after=1)
    with pytest.raises(Stopped):
        run(pipeline, [request], stopped)

    assert len(stopped.steps) < len(whole.steps)
    after = run(pipeline, [request], Told())[0][0]
    assert difference(before, after) == 0 or not pipeline.capabilities.repeats


def test_every_family_that_comes_with_atelier_has_a_case() -> None:
    ours = {
        entry.name for entry in entry_points(group="atelier.families") if entry.value.startswith("pipelines.")
    }
    assert ours - {case.family for case in CASES.values()} == set()


def test_every_kind_of_a_family_is_tried() -> None:
    tried: dict[str, set[str]] = {}
    for case in CASES.values():
        tried.setdefault(case.family, set()).update(case.inputs)
    assert {name: set(load_family(name).kinds) - kinds for name, kinds in tried.items()} == {
        name: set() for name in tried
    }


# Through a whole Atelier


def submitted(client: Client, folder: Path, name: str, kind: str, **changes: Any) -> Job:
    """A case's job; the client uploads the files."""
    raw = {**CASES[name].inputs[kind], "seed": 7, **changes}
    inputs = {
        field: samples.write(value, folder) if isinstance(value, Given) else value
        for field, value in raw.items()
    }
    return client.submit(kind, inputs, model=f"tiny/{name}")


@pytest.mark.parametrize(("name", "kind"), KINDS_OF_CASES)
def test_from_a_request_to_its_artifact(client: Client, models: Path, name: str, kind: str) -> None:
    job = submitted(client, models.parent, name, kind)

    done = [*client.watch(job.id), client.get(job.id)][-1]  # too quick for its progress to be seen each time

    assert done.status == "succeeded", done.error
    (output,) = done.outputs
    assert output.media_type.split("/")[0] == KINDS[kind].outputs
    assert len(client.read(done, output)) == output.bytes


@pytest.mark.parametrize("name", CASES)
def test_a_cancel_ends_it_while_it_runs(client: Client, models: Path, name: str) -> None:
    kind = next(iter(CASES[name].inputs))
    fields = KINDS[kind].model_fields
    limits = Catalog.load([models]).get(f"tiny/{name}").limits
    longer = {
        field: min(value, int(limits[field].max or value) if field in limits else value)
        for field, value in LONG.items()
        if field in fields and (fields[field].default is not None or field in CASES[name].inputs[kind])
    }
    longer |= ({} if "n" in limits else {"n": 8}) | CASES[name].longer
    job = submitted(client, models.parent, name, kind, **longer)

    for seen in client.watch(job.id):
        if seen.progress and seen.progress.step:
            client.cancel(job.id)

    assert client.get(job.id).status == "cancelled"
