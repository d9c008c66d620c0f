"""All rows of the table, in the order of their numbers."""

from tests.bad_inputs.files_and_urls import FILES_AND_URLS
from tests.bad_inputs.json_bodies import JSON_BODIES
from tests.bad_inputs.table import BadInput
from tests.bad_inputs.values import VALUES

ROWS: tuple[BadInput, ...] = (*JSON_BODIES, *VALUES, *FILES_AND_URLS)
