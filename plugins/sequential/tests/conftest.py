"""A tiny world in which every item has its usual successor."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmbench import Items, Run, testing

N_ITEMS, N_USERS, WIDTH = 20, 80, 10


def make_queries(histories, user=None, width=WIDTH):
    return testing.make_queries(histories, width, user)


def multiplied(model, queries):
    return model.score(queries).queries @ model.embed_items()["fused"][1:].T


def ndcg_at_10(scores, target):
    rank = (scores > scores[np.arange(len(target)), target - 1][:, None]).sum(1)
    return float(np.where(rank < 10, 1 / np.log2(rank + 2), 0).mean())


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Tiny tensors gain nothing from threads, and lose much where cores are shared."""
    torch.set_num_threads(1)


@pytest.fixture
def interactions_of():
    return testing.make_interactions


@pytest.fixture
def queries_of():
    return make_queries


@pytest.fixture(scope="session")
def world():
    """Users walk round a ring of items, now and then jumping; the last event is the target."""
    rng = np.random.default_rng(5)
    sequences = []
    for _ in range(N_USERS):
        items = [int(rng.integers(N_ITEMS))]
        for _ in range(int(rng.integers(3, 8))):
            jump = rng.random() < 0.05
            items.append(int(rng.integers(N_ITEMS)) if jump else (items[-1] + 1) % N_ITEMS)
        sequences.append(np.array(items) + 1)
    return SimpleNamespace(
        sequences=sequences,
        train=testing.make_interactions([s[:-1] for s in sequences], N_ITEMS),
        queries=make_queries([s[:-1] for s in sequences]),
        target=np.array([s[-1] for s in sequences]),
        n_items=N_ITEMS,
    )


@pytest.fixture
def fitted(world, tmp_path):
    """``fitted(model, seed=0)``: the model after ``fit`` on the world, with its run's record.

    ``model.rated(queries)`` are its scores, float32[b, n_items], as the harness makes them.
    """

    def fit(model, seed=0, train=None, features=None):
        record = SimpleNamespace(curve=[], progress=[])
        run = Run(
            seed=seed,
            device="cpu",
            scratch=tmp_path,
            cache=tmp_path,
            preset="paper",
            validate=lambda limit=None: ndcg_at_10(model.rated(world.queries), world.target),
            log=lambda step, **values: record.curve.append((step, values)),
            progress=lambda done, total, unit: record.progress.append((done, total, unit)),
        )
        model.rated = lambda queries: multiplied(model, queries)
        train = world.train if train is None else train
        items = Items(train.n_items, fields={}, images=None, features=features or {})
        model.fit(train=train, items=items, run=run)
        model.record = record
        return model

    return fit
