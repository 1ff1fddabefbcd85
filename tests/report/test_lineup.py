"""Several rows against one another or a baseline, and over datasets."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest

from mmbench.problems import UserError
from mmbench.protocol.metrics import per_query
from mmbench.report import (
    View,
    choose_lineup,
    gather,
    line_up,
    lineup_json,
    lineup_lines,
    make_boards,
    tour,
    tour_json,
    tour_lines,
    write_boards,
)
from mmbench.report.overview import overviews
from mmbench.report.statistics.holm import holm

USERS = 200
ASKED = {"candidates": "unseen", "metric": "ndcg@10"}


def table(seed, worse=0, users=USERS, first=0):
    rng = np.random.default_rng(seed)
    taste = np.random.default_rng(42).integers(0, 25, 1000)[first : first + users]
    above = np.maximum(0, taste + worse + rng.integers(-3, 4, users)).astype(np.int32)
    return pa.table(
        {
            "query": np.arange(users, dtype=np.int32),
            "user": [f"u{number}" for number in range(first, first + users)],
            "greater_unseen": above,
            "equal_unseen": np.zeros(users, np.int32),
            "frequency": np.arange(users, dtype=np.int32),
            "history_length": np.arange(users, dtype=np.int32) + 1,
        }
    )


def mean(part):
    return float(
        per_query("ndcg@10", *(part[f"{k}_unseen"].to_numpy() for k in ("greater", "equal"))).mean()
    )


@pytest.fixture
def three(ranked, make_record):
    """Two seeds of each of three rows on one board."""
    worse = {"good": 0, "fair": 4, "poor": 20}
    return ranked(
        *(
            (make_record(name, seed), table(10 * number + seed, worse[name]))
            for number, name in enumerate(worse)
            for seed in (0, 1)
        )
    )


def held(reading, names, baseline=None, **asked):
    boards = make_boards(reading.records)
    board, rows = choose_lineup(boards, [*names, *([baseline] if baseline else [])])
    last = rows[-1] if baseline else None
    return line_up(reading, boards, board, rows[: len(names)], baseline=last, **{**ASKED, **asked})


def test_all_pairs_are_one_family(three):
    found = held(three, ["poor", "good", "fair"])
    assert [row.name for row in found.rows] == ["good", "fair", "poor"]
    assert len(found.family.pairs) == 3
    assert found.family.adjusted == holm([told.p for told in found.family.differences])
    told = found.family.differences[0]
    gap = np.mean([mean(table(s)) for s in (0, 1)]) - np.mean(
        [mean(table(10 + s, 4)) for s in (0, 1)]
    )
    assert told.absolute.value == pytest.approx(gap)
    lines = lineup_lines(found)
    assert lines[0] == "good, fair, poor: ndcg@10, unseen"
    assert lines[1] == "on toy-shop, loo@2; 200 users"
    text = "\n".join(lines)
    assert "good is better than poor" in text and "for other users and seeds" in text
    assert "smallest difference that such rows show four times in five" in text


def test_a_baseline_stands_last_and_is_in_each_pair(three):
    found = held(three, ["fair", "poor"], baseline="good")
    assert [row.name for row in found.rows] == ["fair", "poor", "good"]
    assert found.family.pairs == ((0, 2), (1, 2))
    told = json.loads(json.dumps(lineup_json(found), allow_nan=False))
    assert told["baseline"] == "good"
    assert [(pair["a"], pair["b"]) for pair in told["pairs"]] == [
        ("fair", "good"),
        ("poor", "good"),
    ]
    assert lineup_json(held(three, ["fair", "poor"]))["baseline"] is None
    assert "good is better than poor" in "\n".join(lineup_lines(found))


def test_the_margin_decides_what_is_equivalent(ranked, make_record):
    reading = ranked(
        *((make_record("one", seed), table(seed)) for seed in (0, 1)),
        *((make_record("other", seed), table(10 + seed)) for seed in (0, 1)),
    )
    wide = held(reading, ["one", "other"], margin=0.9)
    assert wide.family.equivalent == ((0, 1),)
    assert held(reading, ["one", "other"]).family.equivalent == ()
    assert "within 90%" in "\n".join(lineup_lines(wide))


def test_users_whom_only_some_were_asked_about_are_counted(ranked, make_record):
    reading = ranked(
        (make_record("a"), table(1)),
        (make_record("b"), table(2, first=20)),
        (make_record("c"), table(3, first=50)),
    )
    found = held(reading, ["a", "b", "c"])
    assert (found.users, found.dropped) == (150, 100)
    expected = per_query(
        "ndcg@10", *(table(1)[f"{k}_unseen"].to_numpy()[50:] for k in ("greater", "equal"))
    )
    a = [row.name for row in found.rows].index("a")
    assert found.intervals[a].value == pytest.approx(expected.mean())
    text = "\n".join(lineup_lines(found))
    assert "100 whom only some were asked about are left out" in text
    assert text.count("seed noise unknown") == 3


def test_what_cannot_be_lined_up_is_said(three, ranked, make_record):
    with pytest.raises(
        UserError, match=r"no board has all of good, nobody\. Known rows: fair, good"
    ):
        held(three, ["good", "nobody"])
    with pytest.raises(UserError, match="two of these are one row"):
        held(three, ["good", "fair", "good"])
    with pytest.raises(UserError, match="unknown metric"):
        held(three, ["good", "fair"], metric="auc")
    with pytest.raises(UserError, match="no ranks against full"):
        held(three, ["good", "fair"], candidates="full")
    more = ranked(
        *((make_record(m, dataset=d), table(1)) for m in ("good", "fair") for d in ("x", "y"))
    )
    with pytest.raises(UserError, match="several boards have them"):
        held(more, ["good", "fair"])
    several = ranked(
        *((make_record("good", dataset="z", config={"k": k}), table(1)) for k in (1, 2)),
        (make_record("fair", dataset="z"), table(1)),
    )
    boards = [b for b in make_boards(several.records) if b.dataset == "z"]
    with pytest.raises(UserError, match=r"good is good \[k=1\] .*: name rows or cells"):
        choose_lineup(boards, ["good", "fair"])


@pytest.fixture
def many(ranked, make_record):
    """``many(datasets)``: a, b and the baseline pop on so many datasets; the first lacks b."""

    def make(datasets):
        pairs = []
        for number in range(datasets):
            rows = {"a": table(number, 0), "b": table(50 + number, 1), "pop": table(90 + number, 3)}
            if number == 0:
                del rows["b"]
            pairs += [
                (make_record(m, dataset=f"d{number}", metrics={"unseen": {"ndcg@10": mean(t)}}), t)
                for m, t in rows.items()
            ]
        return ranked(*pairs)

    return make


def test_over_few_datasets_nothing_is_tested(many):
    reading = many(3)
    found = tour(reading, make_boards(reading.records), ["a", "b"], "pop", **ASKED)
    assert found.datasets == ("d0", "d1", "d2")
    a, b, pop = found.rows
    assert (a.p, b.p, pop.p) == (None, None, None)
    ratios = [math.log(mean(table(k, 0)) / mean(table(90 + k, 3))) for k in range(3)]
    assert a.log_ratio == pytest.approx(np.mean(ratios))
    text = "\n".join(tour_lines(found))
    assert "Fewer than six datasets: no test is made" in text
    assert "Missing: 1 figure (–)" in text
    assert "(2 of 3)" in text and "p, Holm" not in text
    assert json.loads(json.dumps(tour_json(found)))["baseline"] == "pop"


def test_over_six_datasets_each_row_is_tested_against_the_baseline(many):
    reading = many(7)
    found = tour(reading, make_boards(reading.records), ["a", "b"], "pop", **ASKED)
    a, b, _ = found.rows
    assert a.p is not None and a.datasets == 7
    assert b.p is not None and b.datasets == 6
    text = "\n".join(tour_lines(found))
    assert "p, Holm" in text and "below / within 1% / above" in text
    assert "Fewer than six" not in text


def test_a_tour_wants_one_protocol_and_known_rows(many):
    reading = many(2)
    boards = make_boards(reading.records)
    with pytest.raises(UserError, match=r"no row is called 'nobody'\. Known: a, b, pop"):
        tour(reading, boards, ["a", "nobody"], "pop", **ASKED)
    with pytest.raises(UserError, match="pop alone"):
        tour(reading, boards, ["pop"], "pop", **ASKED)


def test_the_index_shows_rows_over_datasets(many, tmp_path):
    reading = many(3)
    boards = make_boards(reading.records)
    entries = [(board, gather(board, boards, reading.ranks)) for board in boards]
    (section,) = overviews(entries)
    assert section.title == "loo@2 over 3 datasets"
    (row,) = (cells for cells in section.table.rows if cells[0].text == "b")
    assert row[1].text == ""
    write_boards(reading, tmp_path / "out")
    page = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    told = page.split("\n## loo@2 over 3 datasets")[1]
    line = next(line for line in told.splitlines() if line.startswith("| b "))
    assert [cell.strip() for cell in line.split("|")][2] == "–"
    assert "Fewer than six datasets" in told
    without_b = View(
        rows=frozenset(r.first.cell.id for b in boards for r in b.rows if r.name != "b")
    )
    (less,) = overviews(entries, without_b)
    assert "b" not in [cells[0].text for cells in less.table.rows]
    assert overviews(entries, baseline="nobody") == []
    reading = many(6)
    boards = make_boards(reading.records)
    (section,) = overviews((b, gather(b, boards, reading.ranks)) for b in boards)
    assert "worse / equivalent / better" in [column.title for column in section.table.columns]
    assert not any("Fewer than six" in line for line in section.after)
