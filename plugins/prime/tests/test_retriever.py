"""What is retrieved, and how the best epoch is chosen without a target in reach."""

import numpy as np
import pytest
from mmbench_prime.retriever import (
    NETWORKS,
    Retriever,
    best_items,
    histories_of,
    level_best,
    pad,
    recall_of,
    train_retriever,
)

from mmbench.protocol import CANDIDATE_SETS, Fold, validation_ndcg
from mmbench.protocol.metrics import per_query


def test_the_best_allowed_items_in_order_the_lower_number_where_level():
    scores = np.array([[3, 1, 3, 2, 3], [1, 1, 1, 1, 1], [5, 4, 3, 2, 1]], np.float32)
    allowed = np.ones((3, 5), bool)
    allowed[2, [0, 2]] = False
    found = best_items(scores, allowed, 3)
    assert found[:2].tolist() == [[0, 2, 4], [0, 1, 2]]
    assert found[2].tolist() == [1, 3, 4]
    assert best_items(scores, allowed, 9)[0].tolist() == [0, 2, 4, 3, 1]
    few = best_items(scores, np.array([[False, True, False, False, False]] * 3), 3)
    assert few[:, 0].tolist() == [1, 1, 1]


def test_the_best_are_those_of_a_sort():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 30, (50, 200)).astype(np.float32)
    allowed = rng.random((50, 200)) < 0.7
    for row, found in enumerate(best_items(scores, allowed, 25)):
        wanted = sorted(np.flatnonzero(allowed[row]), key=lambda j, r=row: (-scores[r, j], j))
        assert found.tolist() == wanted[:25]


@pytest.mark.parametrize("count", [10, 20, 25])
def test_level_answers_are_rated_by_their_recall(count):
    """The harness's own figure, on targets that no plugin sees."""
    rng = np.random.default_rng(1)
    scores = rng.random((300, 90), dtype=np.float32)
    target = rng.integers(1, 91, 300).astype(np.int32)
    one = np.zeros(300, np.int32)
    fold = Fold(
        *(None, one, target, np.zeros(301, np.int64), one[:0], {}, one, one, one.astype(bool))
    )

    class Queries:
        def __len__(self):
            return 300

    object.__setattr__(fold, "queries", Queries())

    def ask(kind, slices):
        for rows in slices:
            yield level_best(scores[rows], count)

    figure = validation_ndcg(fold, 90, ask, sets=(CANDIDATE_SETS["full"],))
    rank = (scores > np.take_along_axis(scores, target[:, None] - 1, axis=1)).sum(axis=1)
    assert 0 < (rank < count).mean() < 1
    assert recall_of(figure, count) == pytest.approx((rank < count).mean(), rel=1e-6)


def test_recall_at_20_and_25_choose_by_different_figures():
    ndcg = float(per_query("ndcg@10", np.zeros(1, int), np.full(1, 19))[0])
    assert recall_of(ndcg, 20) == pytest.approx(1)
    assert recall_of(ndcg, 25) != pytest.approx(1)


@pytest.mark.parametrize("recall", [20, 0])
def test_training_asks_for_recall_or_ndcg_and_says_so(make_run, small, train, recall):
    config = small(retriever_recall=recall)
    retriever = Retriever(config, train.n_items, "cpu")
    figures = iter([0.1, 0.02])
    run = make_run(validate=lambda limit=None: next(figures))
    train_retriever(retriever, train, config, run)
    name = f"retriever recall@{recall}" if recall else "retriever ndcg@10"
    logged = [values[name] for _, values in make_run.curve if name in values]
    assert logged == pytest.approx([recall_of(x, 20) if recall else x for x in (0.1, 0.02)])
    assert any("retriever loss" in values for _, values in make_run.curve)


@pytest.mark.parametrize("name", NETWORKS)
def test_each_network_rates_the_catalogue(small, train, name, queries):
    config = small(retriever=name, retriever_dropout=0.25, retriever_dim=32)
    retriever = Retriever(config, train.n_items, "cpu")
    retriever.refresh()
    found = retriever.rate(queries.history)
    assert found.shape == (3, 12) and np.isfinite(found).all()
    assert retriever.settings.dropout == 0.25 and retriever.settings.dim == 32
    assert retriever.settings.weight_decay == 0.01  # R5


def test_histories_are_kept_at_their_new_end():
    rows = np.array([[0, 1, 2, 3], [0, 0, 0, 0]], np.int32)
    assert histories_of(rows, 2) == [(2, 3), ()]
    assert pad([(1, 2, 3), ()], 2).tolist() == [[2, 3], [0, 0]]
