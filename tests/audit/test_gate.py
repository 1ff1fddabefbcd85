"""The arithmetic gate: no honest row fails, and impossible ones do, with the reason."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.audit.gate import canonical, violations
from mmbench.protocol.metrics import per_query

METRICS = ("hit@1", "hit@3", "hit@10", "ndcg@3", "ndcg@10", "mrr", "mrr@3", "mrr@10")


@given(
    st.lists(st.tuples(st.integers(-1, 15), st.integers(0, 6)), min_size=1, max_size=20),
    st.sets(st.sampled_from(METRICS), min_size=1),
)
def test_no_real_ranks_fail(counts, names):
    greater = np.array([g for g, _ in counts], np.int32)
    equal = np.array([e if g >= 0 else 0 for g, e in counts], np.int32)
    row = {name: float(per_query(name, greater, equal).mean()) for name in names}
    assert violations(row, tolerance=1e-9) == []
    assert violations({name: round(value, 4) for name, value in row.items()}) == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"H@10": 0.3, "N@10": 0.31}, "ndcg@10 = 0.3100, but hit@10 = 0.3000 leaves only 0.0867"),
        ({"H@10": 0.3, "N@10": 0.05}, "ndcg@10 = 0.0500"),
        (
            {"H@10": 0.3109, "H@20": 0.5836, "N@10": 0.2388, "N@20": 0.281},
            "ndcg@20 - ndcg@10 = 0.0422, but hit@20 - hit@10 = 0.2727",
        ),
        ({"R@5": 0.3, "R@10": 0.2}, "hit@10 = 0.2000 is less than hit@5 = 0.3000"),
        ({"HR@10": 31.3}, "hit@10 = 31.3000 does not lie between 0 and 1 (percent? divide by 100)"),
        *(
            ({f"{name}@10": value}, f"@10 = {value:.4f} does not lie between 0 and 1")
            for name in ("hit", "Recall", "ndcg", "mrr", "P", "map")
            for value in (1.2, -0.2, 7.0, 310.0, math.inf)
        ),
        ({"mrr": 7}, "mrr = 7.0000 does not lie between 0 and 1 (percent?"),
        ({"MAP": -0.2}, "map = -0.2000 does not lie between 0 and 1"),
        ({"ndcg@5": 0.3, "ndcg@10": 0.2}, "ndcg@10 = 0.2000 is less than ndcg@5 = 0.3000"),
        ({"mrr@10": 0.3, "mrr": 0.2}, "mrr = 0.2000 is less than mrr@10 = 0.3000"),
        ({"mrr@5": 0.3, "mrr@20": 0.2}, "mrr@20 = 0.2000 is less than mrr@5 = 0.3000"),
        ({"Recall@1": 0.0045, "Recall@10": 0.0313, "MRR": 0.112}, "mrr = 0.1120"),
        ({"hit@1": 0.2, "mrr": 0.1}, "mrr = 0.1000"),
        ({"hit@1": 0.2, "hit@10": 0.3, "mrr@10": 0.26}, "mrr@10 = 0.2600"),
        ({"hit@1": 0.0045, "hit@10": 0.0313, "ndcg@10": 0.0103}, "ndcg@10 - ndcg@1 = 0.0058"),
        ({"hit@10": float("nan"), "ndcg@10": 0.1}, "nan"),
    ],
)
def test_impossible_rows(row, said):
    found = violations(row)
    assert any(said in text for text in found), found


@pytest.mark.parametrize(
    ("row", "name", "low", "high"),
    [
        ({"hit@10": 0.3}, "ndcg@10", 0.3 / math.log2(11), 0.3),
        (
            {"hit@10": 0.3, "hit@20": 0.4, "ndcg@10": 0.2},
            "ndcg@20",
            0.2 + 0.1 / math.log2(21),
            0.2 + 0.1 / math.log2(12),
        ),
        ({"hit@1": 0.1, "hit@10": 0.3}, "mrr", 0.1 + 0.2 / 10, 0.1 + 0.2 / 2 + 0.7 / 11),
        ({"hit@1": 0.1, "hit@10": 0.3}, "mrr@10", 0.1 + 0.2 / 10, 0.1 + 0.2 / 2),
        (
            {"hit@1": 0.1, "hit@10": 0.3},
            "ndcg@10",
            0.1 + 0.2 / math.log2(11),
            0.1 + 0.2 / math.log2(3),
        ),
    ],
)
def test_the_bounds_are_tight(row, name, low, high):
    for value in (low, high):
        assert violations({**row, name: value}, tolerance=1e-9) == []
    for value in (low - 1e-6, high + 1e-6):
        assert violations({**row, name: value}, tolerance=1e-9)


def test_every_figure_may_be_as_small_or_as_large_as_can_be():
    for names in (METRICS, ("precision@10", "map@10", "map")):
        for value in (0.0, 1.0):
            assert violations(dict.fromkeys(names, value)) == []
    assert violations({"precision@1": 0.5, "precision@10": 0.1, "map": 0.3}) == []
    assert violations({"loss": -3.0, "Coverage": 40.0}) == []  # nobody knows what they are


def test_rounding_is_forgiven_but_not_more():
    row = {"hit@10": 0.5, "hit@20": 0.5}
    assert violations({**row, "ndcg@10": 0.3, "ndcg@20": 0.30012}) == []
    assert len(violations({**row, "ndcg@10": 0.3, "ndcg@20": 0.30014})) == 1


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        ("H@10", "hit@10"),
        ("R@5", "hit@5"),
        ("Recall@10", "hit@10"),
        ("HR@10", "hit@10"),
        ("Hit@10", "hit@10"),
        ("hit@10", "hit@10"),
        ("N@20", "ndcg@20"),
        ("NDCG@20", "ndcg@20"),
        ("MRR", "mrr"),
        ("mrr@10", "mrr@10"),
        ("P@5", "precision@5"),
        ("MAP@5", "map@5"),
        ("Coverage", None),
        ("Hit", None),
        ("H@", None),
        ("H@0", None),
        ("A_pos", None),
    ],
)
def test_names_of_metrics(printed, name):
    assert canonical(printed) == name
