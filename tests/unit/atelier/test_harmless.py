"""What others have written cannot steer a terminal, and reaches files as it is."""

import io

import pytest

from atelier.cli.harmless import harmless


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("text", "shown"), [
    ("\x1b[2Jgone", r"\x1b[2Jgone"),
    ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
    ("over\rwritten", r"over\rwritten"),
    ("\x9b31m", r"\x9b31m"),
    ("\u202egnp.exe", r"\u202egnp.exe"),
    ("two\nlines,\ta tab, שלום, 👩\u200d👧", "two\nlines,\ta tab, שלום, 👩\u200d👧"),
])  # fmt: skip
def test_on_a_terminal_and_elsewhere(text, shown):
    assert harmless(text, Terminal()) == shown
    assert harmless(text, io.StringIO()) == text
