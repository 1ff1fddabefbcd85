"""Slices against a loop over the queries."""

import math

import numpy as np
import pyarrow as pa
import pytest

from mmbench.report import make_slices


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


def test_only_sets_that_all_seeds_have():
    other = table(2).rename_columns(
        ["query", "greater_x", "equal_x", "frequency", "history_length"]
    )
    assert make_slices([table(1), other])[0].metrics == {}
    with pytest.raises(ValueError, match="at least one seed"):
        make_slices([])
