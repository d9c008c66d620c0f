"""Whether the weights of a model are still what they were, file by file where that is known."""

from collections.abc import Callable, Iterator

from pipelines.errors import FolderRefused
from pipelines.models import Model
from pipelines.pull import LISTING
from pipelines.weights import check_safe, digest_file, digest_lines, files_of


def verify(model: Model, on_file: Callable[[str], None]) -> list[str]:
    """What is wrong with the weights, in words; empty when nothing is. `on_file` is told each file's name."""
    if model.weights is None:
        return ["it has no weights here"]
    if not model.is_here():
        return [f"there are no weights at {model.weights}"]
    problems = []
    try:
        check_safe(model.weights)
    except FolderRefused as error:
        problems.append(str(error))
    digests = {}
    for name in files_of(model.weights):
        on_file(name)
        digests[name] = digest_file(model.weights / name)
    if not model.sha256 or digest_lines(digests) == model.sha256:
        return problems
    return [*problems, *(list(_differences(model, digests)) or ["its files have not the digest of its row"])]


def _differences(model: Model, digests: dict[str, str]) -> Iterator[str]:
    """Which files differ from the list that `pull` left; nothing where there is no list."""
    listing = model.weights / LISTING if model.weights else None
    if listing is None or not listing.is_file():
        return
    stated = {
        name: digest for digest, _, name in (line.partition("  ") for line in _lines(listing.read_text()))
    }
    for name in sorted(stated.keys() | digests.keys()):
        if name not in digests:
            yield f"{name} is missing"
        elif name not in stated:
            yield f"{name} was not pulled"
        elif stated[name] != digests[name]:
            yield f"{name} has changed"


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line]
