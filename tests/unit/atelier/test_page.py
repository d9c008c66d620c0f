"""The demo's page: whatever the models wrote, it stays words, and the page loads nothing from elsewhere."""

import base64
import hashlib
import html
import json
import re

import pytest

from atelier.page import index_html, title_and_story
from atelier.pieces import PIECES
from atelier.records import Job

HOSTILE = "The <script>alert(1)</script> \"Fox\" & the 'Boat'\n\nOnce </script><!-- upon\\ a time.\u2028"


@pytest.fixture
def jobs():
    return {
        piece.ref: Job.from_json(
            {"id": f"job_{piece.ref}", "kind": piece.kind, "model": "a/b", "status": "failed", "version": 1}
        )
        for piece in PIECES
    }


@pytest.fixture
def files(tmp_path):
    names = {"tale": "tale.txt", "large": "large.png", "film": "film.mp4", "song": "song.flac"}
    for name in names.values():
        (tmp_path / name).write_text(HOSTILE, encoding="utf-8")
    return {ref: tmp_path / name for ref, name in names.items()}


def script(page):
    return re.findall(r"<script>(.*?)</script>", page, re.DOTALL)


def test_the_function_gets_words_that_are_no_markup(jobs, files):
    (only,) = script(index_html(PIECES, jobs, files))

    (arguments,) = re.findall(r"innerHTML = page\((.*)\);$", only, re.MULTILINE)
    given = json.loads(f"[{arguments}]")

    assert [html.unescape(word) for word in given[:2]] == list(title_and_story(HOSTILE))
    assert not any(mark in word for word in given[:2] for mark in "<>\"'")
    assert given[2:] == ["large.png", "film.mp4", "song.flac"]


def test_only_its_own_script_may_run_and_nothing_is_loaded_from_elsewhere(jobs, files):
    page = index_html(PIECES, jobs, files)

    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)"', page)
    digest = base64.b64encode(hashlib.sha256(script(page)[0].encode()).digest()).decode()
    assert policy.startswith("default-src 'none';")
    assert f"script-src 'self' 'sha256-{digest}'" in policy
    assert "http" not in policy


def test_what_was_not_made_is_said(jobs):
    page = index_html(PIECES, jobs, {})

    assert page.count("<td>failed</td>") == len(PIECES)
    assert 'page("A tale", "", "", "", "")' in page


@pytest.mark.parametrize(
    ("tale", "title"),
    [
        ("The Fox\n\nOnce upon a time.", "The Fox"),
        ("\nThe Fox\n\nOnce.\n\nTwice.\n", "The Fox"),
        ("Once upon a time.", "A tale"),
        ("Once upon a time. " * 20 + "\n\nThe end.", "A tale"),
    ],
)
def test_a_short_first_paragraph_is_the_title(tale, title):
    assert title_and_story(tale)[0] == title


def test_a_chain_refers_only_to_what_stands_before():
    seen = set()
    for piece in PIECES:
        needed = {value["job"][1:] for value in piece.inputs.values() if isinstance(value, dict)}
        assert needed <= seen
        seen.add(piece.ref)
