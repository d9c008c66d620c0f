"""docs/bad-inputs.md, made from the table."""

from pathlib import Path

from tests.bad_inputs.rows import ROWS
from tests.bad_inputs.table import render

PAGE = Path(__file__).parents[2] / "docs" / "bad-inputs.md"
INTRODUCTION = """\
# Bad input

What people and programs send that is wrong, odd or hostile, and what the API does with it. Each line is a
request that `tests/bad_inputs/` sends to a real server. After every request that is refused the job store
holds what it held before: nothing is enqueued, no upload is kept, no `Idempotency-Key` is used up. No answer
is a 5xx, and the server's memory is the same after thousands of them. Errors are
[problems](api.md#errors); a place in the body is a JSON pointer, and one in the query or a header begins with
`/query/` or `/headers/`.

Some of what looks odd is legitimate, and is accepted; then the line says what is done with it.

"""


def page() -> str:
    """The page's text."""
    return INTRODUCTION + render(ROWS)
