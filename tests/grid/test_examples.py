"""Texts that a plugin hands over to be looked at."""

import pytest

from mmbench.grid.replies import EXAMPLES, TEXT
from mmbench.results.examples import Example

BOTH = pytest.mark.parametrize("isolated", [True, False], ids=["process", "thread"])


@BOTH
def test_the_first_are_kept_and_long_ones_are_cut(cell, isolated):
    outcome = cell("shelf:Tells", isolated=isolated)
    assert outcome.record.done
    assert len(outcome.examples) == EXAMPLES
    first, second = outcome.examples[:2]
    assert first == Example("item 0", {"title": "hat", "caption": "a\N{REPLACEMENT CHARACTER}b"})
    assert second.texts["caption"].startswith("x" * TEXT + "... (")


@BOTH
@pytest.mark.parametrize(
    ("texts", "length", "reason"),
    [
        (0, 1, "run.example.texts: Dictionary should have at least 1 item"),
        (1, 65, "should have at most 64 characters"),
        (13, 1, "should have at most 12 items"),
    ],
)
def test_what_is_no_example_is_told_where_it_is_made(cell, isolated, texts, length, reason):
    record = cell("shelf:Tells", isolated=isolated, texts=texts, length=length).record
    assert reason in record.status.reason
    assert "run.example(" in record.status.traceback


@BOTH
def test_a_plugin_that_speaks_by_itself_has_no_more_room(cell, isolated):
    outcome = cell("forgers:ManyExamples", isolated=isolated)
    assert outcome.record.done
    assert len(outcome.examples) == EXAMPLES
    assert len(outcome.examples[0].texts["text"]) < TEXT + 50
