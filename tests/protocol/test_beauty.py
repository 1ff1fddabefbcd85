"""Real logs: who is asked for what, and popularity's figures on Beauty as others measured them."""

import hashlib
import os

import numpy as np
import pytest

from mmbench.data import load
from mmbench.protocol import evaluate, get_protocol, split
from mmbench.protocol.metrics import summarise

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("MMBENCH_DATA" not in os.environ, reason="needs MMBENCH_DATA"),
]
LOO = get_protocol("loo@2")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def beauty(cache):
    return load("amazon2014-beauty", cache=cache)


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


@pytest.mark.parametrize(
    ("data", "protocol", "items", "digest"),
    [
        ("amazon2014-beauty", "loo@2", True, "0f483787ba181779"),
        ("amazon2014-beauty", "pixrec-window@2", True, "e438d425690de4a8"),
        ("amazon2023-pixrec", "pixrec-window@2", True, "9989d787ac4cef09"),
        # Here events of one user share a second, and which of them is the last is another question.
        ("ml-latest-small", "loo@2", False, "a72c0136ead974be"),
        ("ml-latest-small", "time@2", False, "9675867775dee29e"),
        ("ml-latest-small", "pixrec-window@2", False, "222c61fb2a4a6848"),
    ],
)
def test_who_is_in_which_part_is_as_in_the_first_protocols(cache, data, protocol, items, digest):
    """Pinned: digests of what ``loo@1``, ``time@1`` and ``pixrec-window@1`` made of the data."""
    log = load(data, cache=cache)
    parts = split(log, get_protocol(protocol))
    rows = [
        ("train", parts.train.user, parts.train.item),
        ("valid", parts.valid.user, parts.valid.target),
        ("test", parts.test.user, parts.test.target),
    ]
    lines = [
        "\t".join([name, log.user_ids[user], *([log.item_ids[item]] if items else [])])
        for name, users, wanted in rows
        for user, item in zip(users, wanted, strict=True)
    ]
    assert hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16] == digest


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
    got = summarise(popularity)
    assert got["full"]["hit@10"] == pytest.approx(0.0113, abs=5.1e-5)
    assert got["full"]["ndcg@10"] == pytest.approx(0.0053, abs=5.1e-5)
    assert got["unseen"]["hit@10"] == pytest.approx(0.0115, abs=5.1e-5)
    assert got["unseen"]["ndcg@10"] == pytest.approx(0.0054, abs=5.1e-5)
