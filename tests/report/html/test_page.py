"""A board's HTML as text: whole in itself, small, the same each time."""

import base64
import hashlib
import html.parser
import re

import numpy as np
import pytest

from mmbench.report import make_pages
from mmbench.report.html.drawings import draw
from mmbench.report.html.render import to_html
from mmbench.report.html.room import ASIDE, CURVES, ROWS
from mmbench.report.html.tables import escape
from mmbench.report.page import (
    Cell,
    Column,
    Curve,
    Curves,
    Page,
    Pairs,
    Point,
    Section,
    Table,
    Trade,
)

RAW = {"style", "script", "title"}


class Text(html.parser.HTMLParser):
    """The visible texts of a page, and its elements."""

    def __init__(self, page):
        super().__init__()
        self.texts, self.tags, self.inside = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside not in RAW and data.strip():
            self.texts.append(data.strip())


@pytest.fixture
def text(board):
    return board.read_text(encoding="utf-8")


def one(table, **changes):
    return Page("Board", ("p", "d"), sections=(Section("s", "Some", table=table, **changes),))


def test_the_page_loads_nothing_and_runs_only_its_own(text):
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", text)
    policy = re.search(r'Content-Security-Policy content="([^"]+)"', text)[1]
    assert "unsafe" not in policy and policy.startswith("default-src 'none'; ")
    for tag, kind in (("style", "style-src"), ("script", "script-src")):
        (inner,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        sha = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{kind} 'sha256-{sha}'" in policy
    assert not re.search(r"\s(?:style|on\w+)=", text)


def test_ids_are_unique_and_links_lead_somewhere(text):
    tags = Text(text).tags
    ids = [told["id"] for _, told in tags if "id" in told]
    assert len(ids) == len(set(ids))
    targets = {told["href"][1:] for tag, told in tags if tag == "a" and told["href"][0] == "#"}
    assert targets and targets <= set(ids)


def test_same_results_same_bytes(reading, text):
    again = make_pages(type(reading)(reading.records[::-1], reading.problems, reading.paths))
    assert to_html(next(page for path, page in again.items() if path)) == text


@pytest.mark.parametrize("foreign", ["<b>&amp;\"'", "`*_|$~", "a\nb\x1b[1m", "</script><img>"])
def test_foreign_text_is_shown_as_it_is(foreign):
    cells = ((Cell(foreign, marks=(1,)), Cell(foreign)),)
    table = Table((Column(foreign, left=True), Column("x", left=True)), cells)
    pairs = Pairs(foreign, foreign, (foreign, "b", "c"), "3=e")
    points = tuple(Point(foreign, 1.0 + k, "1s", Cell("0.1", 0.1)) for k in range(2))
    curves = Curves((("curves-a", foreign, (Curve(foreign, ((0, ((0, 1.0), (1, 2.0))),)),)),))
    page = one(table, drawings=(pairs, Trade("c", foreign, points), curves), after=(foreign,))
    found = Text(to_html(page))
    shown = " ".join("".join(c if c.isprintable() else " " for c in foreign).split())
    assert found.texts.count(shown) >= 6
    assert not [tag for tag, _ in found.tags if tag in ("img",)]
    assert len([tag for tag, _ in found.tags if tag == "script"]) == 1


def test_attributes_hold_foreign_quotes():
    assert escape("\"><x y='") == "&quot;&gt;&lt;x y=&#x27;"


def board_of(rows):
    """A page of as many rows, with all that a board of three sets has."""
    names = [f"model-{number:03d}[dim=64,layers=2]" for number in range(rows)]
    rng = np.random.default_rng(0)
    figures = np.sort(rng.random(rows) / 10)[::-1]

    def interval(value):
        return Cell(f"{value:.4f} ± 0.0024", value, value - 0.0024, value + 0.0024)

    def accuracy(name):
        columns = ("ndcg@10", "group", "places", "as trained", "hit@10", "ndcg@5", "mrr", "ties")
        cells = tuple(
            (
                Cell(model, marks=(1, 2)),
                interval(value),
                Cell("a-d"),
                Cell("12-35"),
                Cell("bc"),
                interval(2 * value),
                *(Cell(f"{value:.4f}", value) for _ in range(3)),
                Cell("3", 3),
            )
            for model, value in zip(names, figures, strict=True)
        )
        heads = [Column("model", left=True), *(Column(c, drawn=c == "ndcg@10") for c in columns)]
        codes = "".join(rng.choice(list("=123"), rows * (rows - 1) // 2))
        pairs = [Pairs(title, "said", tuple(names), codes) for title in ("Pairs", "As trained")]
        points = tuple(
            Point(model, 10 ** rng.uniform(-1, 5), "3m 12s", interval(value))
            for model, value in zip(names, figures, strict=True)
        )
        trades = (Trade("time to fit", name, points),) if name == "unseen" else ()
        table = Table((*heads, Column("seeds")), cells)
        drawn = (*pairs, *trades)
        return Section(name, name, table=table, drawings=drawn, concluded="none is best.")

    def aside(key, columns):
        cells = tuple(
            (Cell(model), *(interval(value) for _ in range(columns)))
            for model, value in zip(names, figures, strict=True)
        )
        heads = (Column("model", left=True), *(Column(f"c{k}") for k in range(columns)))
        return Section(key, key, 3, table=Table(heads, cells), side=True)

    settings = tuple(f"{name} (mmbench-x 0.1.0): " + "key=value, " * 12 for name in names)
    sides = [("frequency", 6), ("length", 5), ("b1", 3), ("b2", 3), ("b3", 3), ("cost", 4)]
    points = tuple((step, float(rng.random())) for step in range(32))
    curves = (Curve("loss", ((0, points), (1, points), (2, points))),)
    drawn = Curves(tuple((f"curves-{name[6:9]}", name, curves) for name in names[:40]))
    curved = Section("curves", "Training curves", drawings=(drawn,))
    return Page(
        "Board",
        ("p", "d"),
        sections=(*map(accuracy, ("unseen", "full", "neg100")), *(aside(*one) for one in sides)),
        footnotes={1: "one", 2: "two"},
        origin=(
            curved,
            Section("settings", "Settings", 3, after=settings, side=True),
        ),
    )


def test_three_hundred_rows_are_less_than_300_kb():
    page = to_html(board_of(300))
    assert len(page.encode()) < 300_000
    for name in ("model-000", "model-299"):
        assert page.count(f"<th>{name}") >= 3  # in each table of accuracy
    assert f"The first {ASIDE} of 300 rows" in page
    assert page.count("<figure class=pairs>") == 1
    assert len(re.findall("<code>([=123e]+)</code>", page)[-1]) == 299  # the whole family
    assert "class=front" in page and page.count("<details class=curves") == CURVES


def test_a_page_of_some_rows_is_whole():
    page = to_html(board_of(ROWS))
    assert "The first" not in page and len(page.encode()) < 300_000
    assert page.count("<figure class=pairs>") == 6
    assert page.count(f"<th>model-{ROWS - 1:03d}") == 9


def test_only_a_row_that_stands_alone_is_bold():
    table = Table(
        (Column("model"), Column("x")), ((Cell("a"), Cell("1", best=True)), (Cell("b"), Cell("2")))
    )
    assert "<td class=b>1" in to_html(one(table)) and "class=b>2" not in to_html(one(table))


def test_figures_that_text_hides_are_there_to_sort_by():
    cells = ((Cell("a"), Cell("3m 12s", 192.0)), (Cell("b"), Cell("<0.1s", 0.04)))
    page = to_html(one(Table((Column("model"), Column("fit")), cells)))
    assert "<td data-v=192>3m 12s" in page and "<td data-v=0.04>&lt;0.1s" in page
    cells = ((Cell("a"), Cell("1,234 ± 2", 1234.0)), (Cell("b"), Cell("+12%", 0.12)))
    assert "data-v" not in to_html(one(Table((Column("model"), Column("fit")), cells)))


def test_a_map_of_pairs_has_a_character_a_pair():
    names = ("a", "b", "c", "d")
    page = draw(Pairs("Pairs", "said", names, "=123e="))
    # the pairs are (a, b) (a, c) (a, d) (b, c) (b, d) (c, d); a line tells of those above it
    assert re.findall(r"<li>\w <code>([^<]*)</code>", page) == ["", "=", "13", "2e="]


def test_intervals_are_drawn_to_one_scale():
    cells = tuple((Cell(n), Cell("x", v, v - 0.1, v + 0.1)) for n, v in (("a", 0.5), ("b", 0.3)))
    page = to_html(one(Table((Column("model"), Column("x", drawn=True)), cells)))
    assert "<i>0</i><i>0.6</i>" in page
    (first, second) = re.findall(r'd="M(\d+) 8H(\d+)H(\d+)"', page)
    assert [int(x) for x in first] == [105, 131, 156]
    assert [int(x) for x in second] == [55, 80, 105]


def test_costs_and_figures_stand_where_they_belong():
    points = tuple(
        Point(name, cost, f"{cost}s", Cell(f"{value}", value))
        for name, cost, value in (("cheap", 1, 0.1), ("dear", 1000, 0.2), ("worse", 100, 0.05))
    )
    page = draw(Trade("time to fit", "ndcg@10", points))
    places = {
        name: (int(x), int(y))
        for name, x, y in re.findall(r'data-n="(\w+)".*?cx=(\d+) cy=(\d+)', page)
    }
    assert places["cheap"][0] < places["worse"][0] < places["dear"][0]
    assert places["dear"][1] < places["cheap"][1] < places["worse"][1]
    steps = re.search(r'class=front d="([^"]+)"', page)[1]
    assert str(places["worse"][1]) not in re.findall(r"\d+", steps)
