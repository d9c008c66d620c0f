"""`python -m tests.bad_inputs`: write docs/bad-inputs.md from the table."""

from tests.bad_inputs.page import PAGE, page

PAGE.write_text(page())
