"""Texts beside a result."""

import pytest

from mmbench.results.examples import EXAMPLES, Example, as_lines, read_examples
from mmbench.results.record import ResultError

MADE = (Example("item 1", {"caption": "a\u2028b\nc", "none": ""}), Example("猫", {"x": "é"}))


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "3fa9.json"
    assert read_examples(path) == ()
    path.with_suffix(EXAMPLES).write_bytes(as_lines(MADE))
    assert read_examples(path) == MADE


@pytest.mark.parametrize(
    "data",
    [b"[]\n", b"{", b'{"title": 1, "texts": {}}', b'{"title": "", "texts": {"a": 1}}', b"\xff"],
)
def test_a_file_of_something_else_is_named(tmp_path, data):
    path = tmp_path / "3fa9.json"
    path.with_suffix(EXAMPLES).write_bytes(data)
    with pytest.raises(ResultError, match=r"3fa9\.examples\.jsonl holds no examples .*: remove it"):
        read_examples(path)
