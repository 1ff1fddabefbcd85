from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mmbench.report.markdown import Column, escape, table
from mmbench.report.words import plain

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])

special = st.text(st.sampled_from("ab_*`|[](){}<>~$&\\#!-. \n\t1") | st.characters(codec="utf-8"))


def shown(markdown):
    """The visible texts of a document's inline parts."""
    inline = [token for token in GITHUB.parse(markdown) if token.type == "inline"]
    for token in inline:
        assert {child.type for child in token.children} <= {"text", "text_special"}
    return ["".join(child.content for child in token.children) for token in inline]


@given(special, special)
@settings(max_examples=200, deadline=None)
def test_escaped_text_is_read_back_as_it_was(first, second):
    columns = [
        Column("left", lambda row: escape(row[0]), left=True),
        Column("right", lambda row: "x" + escape(row[1])),
    ]
    texts = shown(table(columns, [(first, second), ("a", "b")]))
    if plain(first):
        assert texts[:4] == ["left", "right", plain(first), "x" + plain(second)]
    else:
        assert texts[2] == "–"


def test_inner_underscores_stay_readable():
    assert escape("item_knn _loud_") == r"item_knn \_loud\_"


def test_columns_are_padded_to_one_width():
    columns = [
        Column[str]("name", lambda row: row, left=True),
        Column[str]("size", lambda row: str(len(row))),
        Column[str]("nothing", lambda row: ""),
    ]
    assert table(columns, ["a", "日本語"]).splitlines() == [
        "| name   | size |",
        "| :----- | ---: |",
        "| a      |    1 |",
        "| 日本語 |    3 |",
    ]


def test_a_gap_is_a_dash():
    column = Column[str]("some", lambda row: row)
    assert table([column], ["", "b"]).splitlines()[2:] == ["|    – |", "|    b |"]
