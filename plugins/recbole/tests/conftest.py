"""A tiny world in which every item has its usual successor."""

from types import SimpleNamespace

import numpy as np
import pytest

from mmbench import Queries, Run, testing

N_ITEMS, N_USERS, WIDTH = 30, 120, 12


def make_queries(histories, user=None, width=WIDTH):
    return testing.make_queries(histories, width, user)


def ndcg_at_10(scores, target):
    rank = (scores > scores[np.arange(len(target)), target - 1][:, None]).sum(1)
    return float(np.where(rank < 10, 1 / np.log2(rank + 2), 0).mean())


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
        for _ in range(int(rng.integers(4, 9))):
            jump = rng.random() < 0.1
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
    """``fitted(model, seed=0)``: the model after ``fit`` on the world, with its run's record."""

    def fit(model, seed=0, train=None):
        record = SimpleNamespace(curve=[], progress=[])

        def validate(limit=None):
            part = slice(0, limit)
            known = world.queries.user < given["train"].n_users
            user = np.where(known, world.queries.user, -1).astype(np.int32)
            queries = Queries(user[part], world.queries.history[part], world.queries.time[part])
            return ndcg_at_10(model.score(queries), world.target[part])

        run = Run(
            seed=seed,
            device="cpu",
            scratch=tmp_path,
            cache=tmp_path,
            preset="paper",
            validate=validate,
            log=lambda step, **values: record.curve.append((step, values)),
            progress=lambda done, total, unit: record.progress.append((done, total, unit)),
        )
        given = {"train": world.train if train is None else train, "run": run}
        wanted = type(model).fit.__code__.co_varnames[1 : type(model).fit.__code__.co_argcount]
        model.fit(**{name: given[name] for name in wanted})
        model.record = record
        return model

    return fit
