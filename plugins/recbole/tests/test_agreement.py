"""mmbench's evaluation of a RecBole model gives what RecBole's own full-sort evaluation gives."""

import numpy as np
import pytest
import torch
from mmbench_recbole import models, shims
from mmbench_recbole.configs import BPRConfig, GRU4RecConfig, SASRecConfig
from mmbench_recbole.world import interaction, query_columns

from mmbench import Queries
from mmbench.protocol import CANDIDATE_SETS, Fold, evaluate, get_protocol
from mmbench.protocol.metrics import per_query

CUTOFFS = [1, 5, 10]
MAKERS = {
    "sasrec": lambda: models.SASRec(SASRecConfig(epochs=2)),
    "gru4rec": lambda: models.GRU4Rec(GRU4RecConfig(epochs=2)),
    "bpr": lambda: models.BPR(BPRConfig(epochs=2)),
}


def recbole_metrics(network, queries, target):
    """RecBole's full-sort evaluation: its model, its collector, its evaluator."""
    with shims.quiet_import():
        from recbole.evaluator import Collector, Evaluator
    config = shims.make_config("BPR", {}, "cpu")
    config["metrics"], config["topk"] = ["Hit", "NDCG", "MRR"], CUTOFFS
    config["metric_decimal_place"] = 12
    collector = Collector(config)
    with torch.no_grad():
        batch = interaction(query_columns(queries, max_history=50))
        scores = network.model.eval().full_sort_predict(batch).view(len(queries), -1)
    scores[:, 0] = -np.inf  # as RecBole's trainer does
    collector.eval_batch_collect(
        scores, batch, torch.arange(len(target)), torch.as_tensor(target, dtype=torch.long)
    )
    return Evaluator(config).evaluate(collector.get_data_struct())


def our_metrics(model, queries, target, n_items):
    """mmbench's own evaluation of the whole catalogue, on a fold of these queries."""
    none = np.zeros(len(target), dtype=np.int32)
    fold = Fold(
        queries=queries,
        user=none,
        target=np.asarray(target, dtype=np.int32),
        seen_offsets=np.zeros(len(target) + 1, dtype=np.int64),
        seen=none[:0],
        candidates={},
        frequency=none,
        history_length=none,
        tied=none > 0,
    )

    def ask(what, slices):
        for rows in slices:
            user, history, time = queries.user[rows], queries.history[rows], queries.time[rows]
            yield model.score(Queries(user, history, time))

    ranks = evaluate(fold, n_items, ask, get_protocol("loo@2"), sets=[CANDIDATE_SETS["full"]])
    return {
        f"{name}@{k}": per_query(f"{name}@{k}", ranks.greater["full"], ranks.equal["full"]).mean()
        for name in ("hit", "ndcg", "mrr")
        for k in CUTOFFS
    }


@pytest.mark.parametrize("name", MAKERS)
def test_same_model_same_metrics(name, world, fitted):
    model = fitted(MAKERS[name]())
    scores = model.score(world.queries)
    assert all(len(set(row)) == len(row) for row in scores), "a tie would make the order a choice"
    theirs = recbole_metrics(model.network, world.queries, world.target)
    ours = our_metrics(model, world.queries, world.target, scores.shape[1])
    assert theirs.keys() == ours.keys()
    for key, value in ours.items():
        assert value == pytest.approx(theirs[key], abs=1e-9), key
