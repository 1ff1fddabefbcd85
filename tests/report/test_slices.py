"""Slices against a loop over the queries."""

import math

import numpy as np
import pyarrow as pa
import pytest

from mmbench.report import make_slices
from mmbench.report.statistics import mean_interval


def table(seed, queries=400):
    rng = np.random.default_rng(seed)
    fixed = np.random.default_rng(9)  # what does not depend on a model's seed
    return pa.table(
        {
            "query": np.arange(queries),
            "greater_full": rng.integers(-1, 30, queries, dtype=np.int32),
            "equal_full": rng.integers(0, 3, queries, dtype=np.int32),
            "frequency": fixed.integers(0, 60, queries),
            "history_length": fixed.integers(1, 12, queries),
        }
    )


def ndcg(greater, equal):
    if greater < 0:
        return 0.0
    ranks = range(greater + 1, greater + equal + 2)
    return sum(1 / math.log2(rank + 1) for rank in ranks if rank <= 10) / (equal + 1)


def test_every_query_is_in_one_slice_of_each_kind_and_figures_are_means_over_it():
    tables = [table(1), table(2)]
    slices = make_slices(tables)
    names = {by: [s.name for s in slices if s.by == by] for by in ("frequency", "history_length")}
    assert names["frequency"] == ["0", "1-4", "5-9", "10-19", "20-49", "50+"]
    assert names["history_length"] == ["1-4", "5-9", "10-19"]  # nobody has 20: no slice of none
    for by in names:
        assert sum(s.queries for s in slices if s.by == by) == 400
    (cold,) = [s for s in slices if s.by == "frequency" and s.name == "5-9"]
    means = []
    for one in tables:
        rows = [row for row in one.to_pylist() if 5 <= row["frequency"] <= 9]
        means.append(sum(ndcg(row["greater_full"], row["equal_full"]) for row in rows) / len(rows))
    found = cold.metrics["full"]["ndcg@10"]
    assert found.mean == pytest.approx(sum(means) / 2)
    assert found.sd == pytest.approx(abs(means[0] - means[1]) / math.sqrt(2))


def test_tied_and_untied_targets_where_some_are_tied():
    tied = np.random.default_rng(3).random(400) < 0.25
    with_ties = [table(seed).append_column("tied", pa.array(tied)) for seed in (1, 2)]
    found = {s.name: s for s in make_slices(with_ties) if s.by == "tied"}
    assert {name: part.queries for name, part in found.items()} == {
        "untied": int((~tied).sum()),
        "tied": int(tied.sum()),
    }
    rows = [row for row in with_ties[0].to_pylist() if row["tied"]]
    hits = [min(1, max(0, 10 - r["greater_full"]) / (r["equal_full"] + 1)) for r in rows]
    hits = [0 if row["greater_full"] < 0 else hit for hit, row in zip(hits, rows, strict=True)]
    other = make_slices(with_ties[:1])
    (one,) = (s for s in other if s.name == "tied")
    assert one.metrics["full"]["hit@10"].mean == pytest.approx(sum(hits) / len(hits))
    assert other[:-2] == make_slices([table(1)])  # the other slices do not care


def test_no_slice_of_ties_where_there_are_none_or_nothing_is_known():
    none = table(1).append_column("tied", pa.array(np.zeros(400, dtype=bool)))
    assert {s.by for s in make_slices([none])} == {"frequency", "history_length"}
    some = table(2).append_column("tied", pa.array(np.ones(400, dtype=bool)))
    assert {s.by for s in make_slices([some, table(1)])} == {"frequency", "history_length"}
    assert [s.name for s in make_slices([some])][-1] == "tied"  # and no untied one


def test_only_sets_that_all_seeds_have():
    other = table(2).rename_columns(
        ["query", "greater_x", "equal_x", "frequency", "history_length"]
    )
    assert make_slices([table(1), other])[0].metrics == {}
    assert {s.by for s in make_slices([table(1).drop_columns(["frequency"])])} == {"history_length"}
    with pytest.raises(ValueError, match="at least one seed"):
        make_slices([])


def test_each_slice_has_its_interval_over_queries_and_seeds():
    tables = [table(1), table(2)]
    (cold,) = [s for s in make_slices(tables) if (s.by, s.name) == ("frequency", "5-9")]
    part = (table(1)["frequency"].to_numpy() >= 5) & (table(1)["frequency"].to_numpy() <= 9)
    figures = [
        [ndcg(row["greater_full"], row["equal_full"]) for row in one.filter(part).to_pylist()]
        for one in tables
    ]
    told = mean_interval(np.array(figures))
    found = cold.intervals["full"]["ndcg@10"]
    assert (found.value, found.low) == (pytest.approx(told.value), pytest.approx(told.low))


def test_seeds_that_were_asked_other_queries_have_no_interval():
    other = table(2).set_column(3, "frequency", pa.array(np.arange(400) % 60))
    found = make_slices([table(1), other])
    assert all(s.intervals["full"] == {} for s in found if s.by == "frequency")
    assert all(s.intervals["full"] for s in found if s.by == "history_length")
