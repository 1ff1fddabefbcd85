from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mmbench.report.markdown import escape, table
from mmbench.report.page import Cell, Column, Shown, Table, make_table
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
    rows = [(Cell(first), Cell("x" + second)), (Cell("a"), Cell("b"))]
    texts = shown(table(Table((Column("left", left=True), Column("right")), tuple(rows))))
    if plain(first):
        assert texts[:4] == ["left", "right", plain(first), plain("x" + second)]
    else:
        assert texts[2] == "–"


def test_inner_underscores_stay_readable():
    assert escape("item_knn _loud_") == r"item_knn \_loud\_"


def test_columns_are_padded_to_one_width():
    columns = [
        Shown[str]("name", lambda row: row, left=True),
        Shown[str]("size", lambda row: str(len(row))),
        Shown[str]("nothing", lambda row: ""),
    ]
    assert table(make_table(columns, ["a", "日本語"])).splitlines() == [
        "| name   | size |",
        "| :----- | ---: |",
        "| a      |    1 |",
        "| 日本語 |    3 |",
    ]


def test_a_gap_is_a_dash():
    column = Shown[str]("some", lambda row: row)
    assert table(make_table([column], ["", "b"])).splitlines()[2:] == ["|    – |", "|    b |"]
