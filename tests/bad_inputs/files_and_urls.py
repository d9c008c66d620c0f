"""Classes 36 to 53: uploaded files, and files by URL."""

from tests.bad_inputs.table import BadInput

FILES_AND_URLS: tuple[BadInput, ...] = ()
