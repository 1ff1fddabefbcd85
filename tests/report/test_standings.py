"""What a board claims of its order: groups, places, sentences, from ranks on disk."""

import json
import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from mmbench.protocol.metrics import per_query
from mmbench.report import board_json, gather, make_boards, make_page, to_markdown, write_boards
from mmbench.report.standings import stand
from mmbench.report.statistics import Sample

USERS = 300
NAMES = [f"u{number}" for number in range(USERS)]


def table(seed, worse=0, users=USERS, noise=3, sets=("full", "unseen")):
    """Ranks of one seed: the user's own, ``worse`` by so many, and the seed's noise."""
    taste = np.random.default_rng(99).integers(0, 25, users)
    rng = np.random.default_rng(seed)
    above = np.maximum(0, taste + worse + rng.integers(-noise, noise + 1, users)).astype(np.int32)
    columns = {"query": np.arange(users, dtype=np.int32), "user": NAMES[:users]}
    for name in sets:
        columns[f"greater_{name}"] = above
        columns[f"equal_{name}"] = np.zeros(users, np.int32)
    columns["frequency"] = np.arange(users, dtype=np.int32) % 30
    columns["history_length"] = np.arange(users, dtype=np.int32) % 12 + 1
    return pa.table(columns)


@pytest.fixture
def board(ranked, make_record):
    """``board((model, seed, table), ...)``: the reading, the one board, and what is told of it."""

    def make(*rows, **changes):
        pairs = []
        for model, seed, ranks in rows:
            mean = float(ndcg(ranks, "full").mean())
            pairs.append((make_record(model, seed, mean, queries=USERS, **changes), ranks))
        reading = ranked(*pairs)
        (found,) = make_boards(reading.records)
        return reading, found, gather(found, [found], reading.ranks)

    return make


def ndcg(ranks, name):
    return per_query("ndcg@10", *(ranks[f"{k}_{name}"].to_numpy() for k in ("greater", "equal")))


def by_name(found, told, candidates="full"):
    return {row.name: told.standings[candidates].of(row) for row in found.rows}


def seeds(model, worse, count=3, start=0, **changes):
    return [(model, seed, table(start + seed, worse, **changes)) for seed in range(count)]


def claims(page, title="## full"):
    return page.split(title)[1].split("\n## ")[0]


def test_a_row_that_is_told_from_all_others_is_best(board):
    _, found, told = board(
        *seeds("good", 0), *seeds("fair", 6, start=10), *seeds("poor", 20, start=20)
    )
    rows = by_name(found, told)
    assert [rows[n].group for n in ("good", "fair", "poor")] == [("a",), ("b",), ("c",)]
    assert [rows[n].places for n in ("good", "fair", "poor")] == [(1, 1), (2, 2), (3, 3)]
    text = claims(to_markdown(make_page(found, told)))
    assert "of the 3 rows with a group, for other users and seeds, good is best." in text
    assert text.count("**") == 2 and "| good  | **" in text
    assert "family of 3 pairs of 3 rows, Holm" in text


def test_no_row_whose_group_has_others_is_called_best(board):
    _, found, told = board(
        *seeds("one", 0), *seeds("two", 0, start=10), *seeds("poor", 20, start=20)
    )
    rows = by_name(found, told)
    assert rows["one"].group == rows["two"].group == ("a",)
    assert rows["one"].places == rows["two"].places == (1, 2)
    assert rows["poor"].places == (3, 3)
    page = to_markdown(make_page(found, told))
    text = claims(page)
    assert "none is best, as " in text and "is not told from" in text
    assert " is best" not in text.replace("none is best", "")
    assert "**" not in text
    line = next(row for row in text.splitlines() if row.startswith("| one"))
    assert [cell.strip() for cell in line.split("|")][3:5] == ["a", "1-2"]


def test_a_lone_seed_has_an_interval_over_users_and_no_letter(board):
    _, found, told = board(
        *seeds("good", 0), *seeds("poor", 20, start=20), ("once", 0, table(5, 0))
    )
    rows = by_name(found, told)
    once = rows["once"]
    assert (once.noise_known, once.group, once.places) == (False, (), None)
    assert once.as_trained and rows["good"].places == (1, 1) and rows["poor"].places == (2, 2)
    figures = ndcg(table(5, 0), "full")
    half = once.intervals["ndcg@10"].high - figures.mean()
    assert half == pytest.approx(1.968 * figures.std(ddof=1) / math.sqrt(USERS), rel=1e-3)
    text = claims(to_markdown(make_page(found, told)))
    assert "| ?  " in next(row for row in text.splitlines() if row.startswith("| once"))
    assert "rows with one seed (group ?), whose seed noise is unknown, over users alone" in text
    assert "good is best; the 1 other row says nothing of other seeds: as trained, " in text


def test_a_model_whose_stored_seeds_rank_alike_needs_one(ranked, make_record):
    same = table(5)
    reading = ranked(
        (make_record("fixed", 0, 0.04, queries=USERS), table(7, 20)),
        *((make_record("good", s, 0.05, queries=USERS), table(s)) for s in range(3)),
        *((make_record("fixed", s, dataset="books"), same) for s in (0, 1)),
    )
    boards = make_boards(reading.records)
    found = next(one for one in boards if one.dataset == "toy-shop")
    told = gather(found, boards, reading.ranks)
    fixed = by_name(found, told)["fixed"]
    assert (fixed.steady, fixed.noise_known, fixed.group) == (True, True, ("b",))
    assert "1 row of one seed is of models that rank alike with every seed" in to_markdown(
        make_page(found, told)
    )
    alone = by_name(found, gather(found, [found], reading.ranks))["fixed"]
    assert (alone.steady, alone.group) == (False, ())


def test_seeds_that_rank_otherwise_anywhere_are_believed(ranked, make_record):
    """Equal on one dataset, where there was nothing to learn, and not on another."""
    tables = {"books": [table(5), table(5)], "films": [table(6), table(7)]}
    reading = ranked(
        (make_record("m", 0, queries=USERS), table(7)),
        *(
            (make_record("m", seed, dataset=name), one)
            for name, told in tables.items()
            for seed, one in enumerate(told)
        ),
    )
    boards = make_boards(reading.records)
    for order in (boards, boards[::-1]):
        found = next(one for one in boards if one.dataset == "toy-shop")
        assert not by_name(found, gather(found, order, reading.ranks))["m"].steady


def test_other_code_or_another_config_is_another_model(ranked, make_record):
    for change in ({"code": "ab" * 8}, {"config": {"dim": 1}}, {"version": "9"}):
        reading = ranked(
            (make_record("m", 0, queries=USERS), table(7)),
            *((make_record("m", s, dataset="books", **change), table(5)) for s in (0, 1)),
        )
        boards = make_boards(reading.records)
        found = next(one for one in boards if one.dataset == "toy-shop")
        told = gather(found, boards, reading.ranks)
        assert not next(iter(by_name(found, told).values())).steady


def test_smoke_runs_other_users_and_lost_ranks_take_no_part(ranked, make_record):
    reading = ranked(
        *((make_record("a", s, queries=USERS), table(s)) for s in (0, 1)),
        *((make_record("b", s, queries=USERS), table(9 + s)) for s in (0, 1)),
        (make_record("smoke", 0, limit=50, queries=50), table(3, users=50)),
        (make_record("lost", 0, queries=USERS), table(4)),
        (make_record("few", 0, queries=USERS), table(4, users=200)),
    )
    for record in reading.records:
        if record.cell.model == "lost":
            reading.paths[record.cell.id].with_suffix(".ranks.parquet").unlink()
    (found,) = make_boards(reading.records)
    told = gather(found, [found], reading.ranks)
    rows = by_name(found, told)
    assert [name for name, row in sorted(rows.items()) if row is not None] == ["a", "b"]
    assert told.standings["full"].users == USERS
    text = claims(to_markdown(make_page(found, told)))
    for name in ("smoke", "lost", "few"):
        line = next(row for row in text.splitlines() if row.startswith(f"| {name}"))
        assert "±" not in line  # the figure of its record, and nothing claimed of it


def test_each_table_says_what_a_reader_must_know(board):
    _, found, told = board(*seeds("a", 0), *seeds("b", 0, start=10))
    for title in ("## full", "## unseen"):
        text = claims(to_markdown(make_page(found, told)), title)
        for words in (
            "300 users, the same for 2 rows",
            "± is half of the 95% interval of the mean, over users and seeds.",
            "family of 1 pair of 2 rows",
            "Smallest difference in ndcg@10 that such rows show four times in five",
            "Equivalent within a margin of 1%",
            "What may be concluded: ",
            "step-down max-|t| of 10,000 sign flips",
        ):
            assert words in text.replace("\\", "")
    bare = to_markdown(make_page(found))
    assert "standard deviation over seeds; no interval" in claims(bare)
    assert "| group" not in claims(bare)


def test_a_lone_row_claims_nothing(board):
    _, found, told = board(*seeds("only", 0))
    only = by_name(found, told)["only"]
    assert (only.group, only.places, only.as_trained) == ((), None, ())
    assert "nothing of an order, as there are no two rows" in claims(
        to_markdown(make_page(found, told))
    )


def test_one_row_of_known_noise_has_nobody_to_be_told_from(board):
    _, found, told = board(*seeds("several", 0), ("once", 0, table(9, 20)))
    assert by_name(found, told)["several"].group == ()
    text = claims(to_markdown(make_page(found, told)))
    assert "nothing of models trained anew, as there are no two rows whose seed noise" in text


def test_equivalent_rows_are_named(board):
    near = [("near", s, table(s, noise=0)) for s in (0, 1)]
    _, found, told = board(*[("same", s, table(s, noise=0)) for s in (0, 1)], *near)
    assert "tests, Holm): near and same." in claims(to_markdown(make_page(found, told)))


def test_configs_are_rows_of_their_own_and_none_is_chosen_by_its_figure(ranked, make_record):
    """Who shows the best of several settings has chosen by the test score."""
    reading = ranked(
        *(
            (make_record("knn", s, config={"k": k}, queries=USERS), table(s, worse=k))
            for k in (0, 4, 20)
            for s in (0, 1)
        )
    )
    (found,) = make_boards(reading.records)
    told = gather(found, [found], reading.ranks).standings["full"]
    assert len(told.rows) == 3
    assert len(told.family.pairs) == 3


def test_the_family_is_one_table_s_pairs(board):
    """Other sets and metrics are other families, and change nothing in this one."""
    rows = [*seeds("a", 0), *seeds("b", 3, start=10), *seeds("c", 5, start=20)]
    _, _, told = board(*rows)
    alone = [(m, s, t.drop_columns(["greater_unseen", "equal_unseen"])) for m, s, t in rows]
    _, _, less = board(*alone)
    assert told.standings["full"].family == less.standings["full"].family
    assert len(told.standings["full"].family.adjusted) == 3


def test_slices_have_intervals_on_the_board(board):
    _, found, told = board(*seeds("a", 0), *seeds("b", 20, start=10))
    page = to_markdown(make_page(found, told))
    text = page.split("## Where rows are good: ndcg@10, unseen")[1].split("\n## ")[0]
    assert "### By how often the target was trained on" in text
    assert "### By the length of the history" in text
    assert "| 1-4 (40) |" in " ".join(text.split())
    figures = np.stack(
        [ndcg(t, "unseen")[t["frequency"].to_numpy() == 0] for _, _, t in seeds("a", 0)]
    )
    (part,) = [
        p for p in told.slices[found.rows[0].first.cell.id] if (p.by, p.name) == ("frequency", "0")
    ]
    interval = part.intervals["unseen"]["ndcg@10"]
    assert interval.value == pytest.approx(figures.mean())
    assert f"{interval.value:.4f} ± {interval.high - interval.value:.4f}" in text


def test_json_tells_what_the_page_tells(board):
    _, found, told = board(*seeds("a", 0), *seeds("b", 20, start=10))
    one = json.loads(json.dumps(board_json(found, told), allow_nan=False))["standings"]["full"]
    assert one["users"] == USERS and len(one["pairs"]) == 1
    assert {tuple(row["group"]) for row in one["rows"].values()} == {("a",), ("b",)}
    assert one["concluded"].endswith("a is best.")
    assert board_json(found)["standings"] == {}


def test_same_results_same_bytes(board, tmp_path):
    reading, _, _ = board(*seeds("a", 0), *seeds("b", 1, start=10))
    pages = []
    for folder in ("one", "two"):
        write_boards(reading, tmp_path / folder)
        pages.append([p.read_bytes() for p in sorted((tmp_path / folder).rglob("*.md"))])
    assert pages[0] == pages[1]
    shuffled = replace(reading, records=reading.records[::-1])
    write_boards(shuffled, tmp_path / "three")
    assert [p.read_bytes() for p in sorted((tmp_path / "three").rglob("*.md"))] == pages[0]


def test_standings_take_plain_arrays():
    rng = np.random.default_rng(0)
    figures = {name: rng.random((2, 50)) / 2 + 0.4 * (name == "a") for name in "ab"}
    told = stand("any", {k: {"ndcg@10": Sample(v)} for k, v in figures.items()}, margin=0.02)
    assert list(told.rows) == ["a", "b"]
    assert told.leaders == told.trained_leaders == ("a",)
    assert told.margin == 0.02
