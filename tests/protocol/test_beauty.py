"""The real Beauty log: its split, and popularity's figures as others measured them."""

import os
from pathlib import Path

import numpy as np
import pytest

from mmbench.protocol import evaluate, get_protocol, split
from mmbench.protocol.metrics import summarise

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("MMBENCH_DATA" not in os.environ, reason="needs MMBENCH_DATA"),
]
LOO = get_protocol("loo@1")


@pytest.fixture(scope="module")
def beauty(make_log):
    path = Path(os.environ["MMBENCH_DATA"]) / "amazon2014-beauty" / "sequences.txt"
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return make_log(
        [[int(item) for item in items] for _, *items in lines],
        user_ids=[user for user, *_ in lines],
    )


@pytest.fixture(scope="module")
def folds(beauty):
    return split(beauty, LOO)


@pytest.fixture(scope="module")
def popularity(beauty, folds):
    counts = np.bincount(folds.train.item, minlength=beauty.n_items + 1)[1:].astype(np.float32)

    def ask(what, slices):
        for rows in slices:
            yield np.broadcast_to(counts, (rows.stop - rows.start, beauty.n_items))

    return evaluate(folds.test, beauty.n_items, ask, LOO)


def test_counts(beauty, folds):
    assert len(folds.valid) == len(folds.test) == beauty.n_users == 22_363
    assert beauty.n_items == 12_101
    assert len(folds.train.item) == 198_502 - 2 * 22_363
    assert (folds.test.frequency == 0).mean() == pytest.approx(0.006, abs=5e-4)
    assert folds.test.candidates["neg100"].shape == (22_363, 101)


def test_popularity_as_measured_elsewhere(popularity):
    """Those figures use each tied block's mean rank; the stored counts give the same."""
    measured = {
        "full": {5: (0.0064, 0.0037), 10: (0.0106, 0.0051), 20: (0.0195, 0.0073)},
        "unseen": {5: (0.0068, 0.0039), 10: (0.0110, 0.0053), 20: (0.0198, 0.0075)},
    }
    for name, figures in measured.items():
        rank = popularity.greater[name] + 1 + popularity.equal[name] / 2
        for k, (hit, ndcg) in figures.items():
            assert (rank <= k).mean() == pytest.approx(hit, abs=5.1e-5)
            gain = np.where(rank <= k, 1 / np.log2(rank + 1), 0)
            assert gain.mean() == pytest.approx(ndcg, abs=5.1e-5)


def test_popularity_in_expectation_over_ties(popularity):
    """97% of the targets tie; taking the mean rank of a block loses the part of it before k."""
    got = summarise(popularity, LOO)
    assert got["full"]["hit@10"] == pytest.approx(0.0113, abs=5.1e-5)
    assert got["full"]["ndcg@10"] == pytest.approx(0.0053, abs=5.1e-5)
    assert got["unseen"]["hit@10"] == pytest.approx(0.0115, abs=5.1e-5)
    assert got["unseen"]["ndcg@10"] == pytest.approx(0.0054, abs=5.1e-5)
