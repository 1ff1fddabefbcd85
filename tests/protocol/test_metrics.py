"""Metrics against ir-measures, against closed forms, and on hand-worked ranks."""

import math

import ir_measures
import numpy as np
import pytest
from ir_measures import RR, R, nDCG

from mmbench.audit.gate import violations
from mmbench.protocol import Ranks, evaluate, get_protocol, split
from mmbench.protocol.metrics import (
    CUTOFFS,
    REPORTED,
    per_query,
    summarise,
    tie_rate,
    unanswered,
)

LOO = get_protocol("loo@2")


def ints(*values):
    return np.array(values, dtype=np.int32)


@pytest.mark.parametrize(
    ("metric", "greater", "equal", "value"),
    [
        ("hit@1", 0, 0, 1.0),
        ("hit@1", 0, 3, 1 / 4),
        ("hit@5", 3, 3, 2 / 4),
        ("hit@5", 5, 10, 0.0),
        ("hit@5", -1, 0, 0.0),
        ("ndcg@5", 2, 0, 1 / 2),
        ("ndcg@5", 0, 1, (1 + 1 / math.log2(3)) / 2),
        ("ndcg@2", 1, 2, 1 / math.log2(3) / 3),
        ("mrr", 3, 0, 1 / 4),
        ("mrr", 1, 2, (1 / 2 + 1 / 3 + 1 / 4) / 3),
        ("mrr@3", 1, 2, (1 / 2 + 1 / 3) / 3),
        ("mrr", -1, 0, 0.0),
    ],
)
def test_by_hand(metric, greater, equal, value):
    assert per_query(metric, ints(greater), ints(equal))[0] == pytest.approx(value, abs=1e-12)


def test_a_distant_rank_keeps_its_precision():
    assert per_query("mrr", ints(999_999), ints(0))[0] == pytest.approx(1e-6, rel=1e-8)


@pytest.mark.parametrize(
    "metric", ["map@10", "hit", "mrr@", "ndcg@", "hit@0", "hit@-1", "mrr@x", "hit@1.5"]
)
def test_unknown_metrics(metric):
    with pytest.raises(ValueError, match="unknown metric"):
        per_query(metric, ints(1), ints(0))


def test_agrees_with_ir_measures_where_nothing_ties(shop, answering):
    fold = split(shop, LOO).test
    rng = np.random.default_rng(5)
    scores = np.stack([rng.permutation(400) for _ in range(300)]).astype(np.float32)
    ranks = evaluate(fold, 400, answering(scores), LOO)
    assert tie_rate(ranks) == {"full": 0.0, "unseen": 0.0, "neg100": 0.0}
    ours = {nDCG @ k: f"ndcg@{k}" for k in (5, 10, 20, 50)}
    ours |= {R @ k: f"hit@{k}" for k in (1, 5, 10, 20, 50)}
    ours |= {RR: "mrr", RR @ 10: "mrr@10"}
    qrels = {str(q): {str(target): 1} for q, target in enumerate(fold.target.tolist())}
    seen = np.split(fold.seen, fold.seen_offsets[1:-1])
    everything = np.arange(1, 401)
    sets = {
        "full": lambda q: everything,
        "unseen": lambda q: np.setdiff1d(everything, seen[q]),
        "neg100": lambda q: fold.candidates["neg100"][q],
    }
    got = summarise(ranks)
    for name, candidates in sets.items():
        run = {str(q): {str(i): float(scores[q, i - 1]) for i in candidates(q)} for q in range(300)}
        theirs = ir_measures.calc_aggregate(list(ours), qrels, run)
        for measure, value in theirs.items():
            assert got[name][ours[measure]] == pytest.approx(value, abs=1e-12), (name, measure)


def test_a_constant_scorer_gets_what_chance_gives(shop, answering):
    fold = split(shop, LOO).test
    got = summarise(evaluate(fold, 400, answering(np.zeros((300, 400), np.float32)), LOO))
    for size, metrics in ((400, got["full"]), (101, got["neg100"])):
        for k in CUTOFFS:
            assert metrics[f"hit@{k}"] == pytest.approx(k / size)
        for k in (5, 10, 20, 50):
            want = sum(1 / math.log2(rank + 1) for rank in range(1, k + 1)) / size
            assert metrics[f"ndcg@{k}"] == pytest.approx(want)
        want = sum(1 / rank for rank in range(1, size + 1)) / size
        assert metrics["mrr"] == pytest.approx(want)


def test_a_random_scorer_over_101_candidates():
    greater = np.random.default_rng(0).integers(0, 101, 100_000).astype(np.int32)
    none = np.zeros_like(greater)
    want = {"hit@10": 0.099, "hit@20": 0.198, "ndcg@10": 0.045, "ndcg@20": 0.070}
    for metric, value in want.items():
        assert per_query(metric, greater, none).mean() == pytest.approx(value, abs=0.004)


def test_rows_are_complete_and_pass_the_gate():
    rng = np.random.default_rng(1)
    greater = rng.integers(-1, 90, 500).astype(np.int32)
    equal = np.where(greater >= 0, rng.integers(0, 5, 500), 0).astype(np.int32)
    ranks = Ranks({"full": greater}, {"full": equal}, {})
    got = summarise(ranks)["full"]
    assert tuple(got) == REPORTED
    assert list(got)[:6] == ["hit@1", "hit@5", "hit@10", "hit@20", "hit@50", "ndcg@5"]
    assert list(got)[-2:] == ["mrr", "mrr@10"]
    assert violations(got, tolerance=1e-12) == []


def test_shares():
    ranks = Ranks({"full": ints(0, -1, 2, 3)}, {"full": ints(1, 0, 0, 5)}, {})
    assert tie_rate(ranks) == {"full": 0.5}
    assert unanswered(ranks) == {"full": 0.25}
