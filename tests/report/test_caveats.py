"""What a board says of its data as a whole: how they are ordered, and what so few could show."""

import itertools
import json
import statistics

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console

from mmbench.protocol.metrics import per_query
from mmbench.report import board_json, board_table, make_boards, make_page, parse, to_markdown
from mmbench.report.caveats import caveats
from mmbench.report.statistics import compare_rows, detectable
from mmbench.results.record import ResultError


def board_of(records, ranks=None):
    (board,) = make_boards(map(parse, records), ranks=ranks)
    return board


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"time": "timestamps", "ties": "hash", "tied_targets": 0.0}, None),
        ({"time": "timestamps", "ties": "hash", "tied_targets": 0.4349}, "a hash decides"),
        ({"time": "timestamps", "ties": "source", "tied_targets": 0.4349}, "order of the source's"),
        ({"time": "positions", "ties": None, "tied_targets": None}, "tells only the order"),
        ({}, None),  # before it was recorded
    ],
)
def test_how_times_are_ordered(make_record, data, words):
    found = caveats(board_of([make_record(data=data)]))
    assert len(found) == (words is not None)
    if words is not None:
        assert words in found[0]
        assert ("43.5% of users" in found[0]) == (data["tied_targets"] is not None)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            {"cold_targets": 0.138},
            "13.8% of users' last items are in no event that a model is trained",
        ),
        (
            {"cold_targets": 0.0, "repeated_targets": 0.25},
            "25.0% of users' last items are in their h",
        ),
        ({"cold_targets": 0.0, "pictures": {"named": 9, "decoded": 7}}, "2 of 9 cannot be used"),
        ({"cold_targets": 0.0, "pictures": {"named": 9, "decoded": 9}}, None),
        ({"cold_targets": 0.005, "repeated_targets": 0.005}, None),
    ],
)
def test_what_targets_and_pictures_are_like(make_record, data, words):
    found = caveats(board_of([make_record(data=data)]))
    assert len(found) == (words is not None)
    assert words is None or words in found[0]


@pytest.mark.parametrize(
    ("model", "scripts", "warned"),
    [
        ("bm25-text", {"han": 0.9, "latin": 0.1}, True),
        ("tfidf", {"latin": 0.7, "thai": 0.3}, True),
        ("bm25-text", {"latin": 0.95, "han": 0.05}, False),
        ("bm25-text", {"cyrillic": 1.0}, False),
        ("sasrec-ce", {"han": 1.0}, False),
    ],
)
def test_models_of_words_where_titles_have_no_spaces(make_record, model, scripts, warned):
    records = [
        make_record("pop"),  # of a version that did not tell
        make_record(model, data={"cold_targets": 0.0, "scripts": scripts}),
    ]
    found = [line for line in caveats(board_of(records)) if line.startswith("Text:")]
    assert bool(found) is warned
    if warned:
        assert f"{model} cut text at spaces" in found[0]


def ranks_of(users, seed, better=0.0):
    rng = np.random.default_rng(seed)
    above = (rng.integers(0, 40, users) * (1 - better)).astype(np.int32)
    return pa.table({"greater_full": above, "equal_full": rng.integers(0, 2, users)})


def figures(table):
    return per_query("ndcg@10", *(table[f"{k}_full"].to_numpy() for k in ("greater", "equal")))


def test_few_queries_say_what_ranks_could_show(make_record):
    models = ("a", "b", "c", "d")
    tables = {name: ranks_of(90, number) for number, name in enumerate(models)}
    records = [make_record(name, queries=90) for name in models]
    board = board_of(records, lambda record: tables[record.cell.model])
    pairs = [
        compare_rows(figures(tables[a])[None], figures(tables[b])[None]).detectable
        for a, b in itertools.combinations(models, 2)
    ]
    told = board.sensitivity
    assert (told.candidates, told.pairs) == ("full", 6)
    assert told.difference == pytest.approx(statistics.median(pairs))
    (text,) = caveats(board)
    assert text.startswith(f"Few queries: 90. Two rows must differ by about {told.difference:.4f}")
    assert "the middle one of 6 pairs of rows" in text


def test_rows_are_paired_by_their_users(make_record):
    """Also where another order of queries was stored."""
    order = np.random.default_rng(0).permutation(90)
    names = pa.array([f"u{user}" for user in range(90)])
    one = ranks_of(90, 1).append_column("user", names)
    better = ranks_of(90, 1, better=0.1).append_column("user", names)
    records = [make_record(name, queries=90) for name in ("a", "b")]
    told = []
    for other in (better, better.take(order)):
        tables = {"a": one, "b": other}
        board = board_of(records, lambda record, tables=tables: tables[record.cell.model])
        told.append(board.sensitivity.difference)
    assert told[0] == pytest.approx(told[1])


def test_without_ranks_the_best_figure_bounds_it(make_record):
    def absent(record):
        raise ResultError("gone")

    records = [make_record("a", ndcg=0.2, queries=100), make_record("b", ndcg=0.1, queries=100)]
    bound = detectable((2 * 0.2 * 0.8 / 100) ** 0.5, 99)
    for ranks in (None, absent, lambda record: ranks_of(99, 1)):
        told = board_of(records, ranks).sensitivity
        assert (told.pairs, told.difference) == (0, pytest.approx(bound))
    assert "at most, by the best row's figure" in caveats(board_of(records))[0]
    # no ranks of such means show more than the bound allows
    for seed in range(20):
        tables = {"a": ranks_of(100, seed), "b": ranks_of(100, 100 + seed)}
        means = {name: float(figures(table).mean()) for name, table in tables.items()}
        made = [make_record(name, ndcg=mean, queries=100) for name, mean in means.items()]
        shown = board_of(made, lambda record, tables=tables: tables[record.cell.model])
        assert shown.sensitivity.pairs == 1
        assert shown.sensitivity.difference < board_of(made).sensitivity.difference


@pytest.mark.parametrize(("queries", "few"), [(1, False), (2, True), (499, True), (500, False)])
def test_only_a_board_of_few_queries_says_so(make_record, queries, few):
    assert (board_of([make_record(queries=queries)]).sensitivity is not None) == few


def test_smoke_runs_and_failures_show_nothing(make_record):
    records = [make_record(limit=50, queries=50), make_record("b", status="failed", queries=50)]
    assert board_of(records).sensitivity is None


def test_fewer_negatives_are_told_with_the_set(make_record):
    record = make_record(drawn={"neg100": {"least": 11, "most": 14}})
    (text,) = caveats(board_of([record]))
    assert text.startswith("neg100, the target and 100 sampled items: Each query has only 11 to 14")


def test_every_face_of_a_board_has_its_caveats(make_record):
    data = {"time": "positions"}
    board = board_of(
        [make_record(queries=80, data=data, drawn={"neg100": {"least": 5, "most": 5}})]
    )
    page = to_markdown(make_page(board))
    assert "- Few queries: 80. " in page and "- Times: " in page and "only 5 of them" in page
    told = json.loads(json.dumps(board_json(board), allow_nan=False))
    assert len(told["caveats"]) == 3
    assert told["sensitivity"]["pairs"] == 0
    assert told["drawn"] == {"neg100": {"least": 5, "most": 5}}
    console = Console(width=200, no_color=True)
    with console.capture() as capture:
        console.print(board_table(board, width=200))
    shown = capture.get()
    assert all(words in shown for words in ("Few queries: 80", "Times: ", "only 5 of them"))
