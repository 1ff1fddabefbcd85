"""Both models against slow and plain versions of themselves."""

import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from mmbench_implicit import models
from mmbench_implicit.baskets import of_histories, of_users

from mmbench import Interactions, Queries, Run

N_ITEMS, N_USERS = 30, 40
PLUGINS = {"als": models.ALS, "userknn": models.UserKNN}


@pytest.fixture(scope="module")
def train():
    """Users of two tastes, each with items of one half; user 0 has one item twice."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(N_USERS):
        items = rng.permutation(N_ITEMS // 2)[: rng.integers(4, 9)] + 1 + 15 * (user % 2)
        rows.append(np.append(items, items[0]) if user == 0 else items)
    return Interactions(
        user=np.repeat(np.arange(N_USERS), [len(row) for row in rows]).astype(np.int32),
        item=np.concatenate(rows).astype(np.int32),
        time=np.zeros(sum(map(len, rows)), np.int64),
        n_users=N_USERS,
        n_items=N_ITEMS,
    )


@pytest.fixture
def run(tmp_path):
    return Run(
        seed=1,
        device="cpu",
        scratch=tmp_path,
        cache=tmp_path,
        preset="paper",
        validate=lambda limit=None: 0.0,
        log=lambda step, **values: None,
        progress=lambda done, total, unit: None,
    )


def queries_of(histories, user, width=10):
    rows = np.zeros((len(histories), width), np.int32)
    for row, history in zip(rows, histories, strict=True):
        row[width - len(history) :] = history
    return Queries(np.array(user, np.int32), rows, np.zeros(rows.shape, np.int64))


def test_a_basket_counts_an_item_once(train):
    baskets = of_users(train)
    assert baskets.shape == (N_USERS, N_ITEMS)
    assert set(baskets.data) == {1}
    assert baskets[0].nnz == len(set(train.item[train.user == 0]))
    (row,) = of_histories(np.array([[0, 3, 3, 7]]), N_ITEMS).toarray()
    assert np.flatnonzero(row).tolist() == [2, 6]


def test_neighbours_by_visiting_every_user(train):
    model = models.UserKNN(models.UserKNNConfig(neighbours=5))
    model.fit(train=train)
    had = [set(train.item[train.user == user].tolist()) for user in range(N_USERS)]
    histories, users = [[1, 2, 3], sorted(had[4])[:6], [20]], [-1, 4, -1]
    found = model.score(queries=queries_of(histories, users))
    for history, asker, row in zip(histories, users, found, strict=True):
        asked = set(history)
        cosines = {
            user: len(asked & items) / np.sqrt(len(asked) * len(items))
            for user, items in enumerate(had)
            if user != asker
        }
        least = sorted(cosines.values())[-5]
        expected = np.zeros(N_ITEMS)
        for user, cosine in cosines.items():
            if cosine >= least - 1e-7:
                expected[np.array(sorted(had[user])) - 1] += cosine
        np.testing.assert_allclose(row, expected, rtol=1e-5)


def test_a_user_is_no_neighbour_of_their_own(train):
    model = models.UserKNN(models.UserKNNConfig(neighbours=1))
    model.fit(train=train)
    history = sorted(set(train.item[train.user == 6].tolist()))
    known, unknown = model.score(queries=queries_of([history, history], [6, -1]))
    assert unknown[[item - 1 for item in history]].min() > 0.99
    assert not np.allclose(known, unknown)


def test_factors_of_a_history_solve_the_weighted_least_squares(train, run):
    """``(Y'Y + Y'(C - I)Y + lambda I) x = Y' C p``, Hu, Koren and Volinsky (2008), equation 4."""
    config = models.ALSConfig(dim=6, alpha=3.0, regularization=0.1)
    model = models.ALS(config)
    model.fit(train=train, run=run)
    history = [2, 5, 9]
    (found,) = model.embed_queries(queries=queries_of([history], [-1]))["fused"]
    items = model.embed_items()["fused"][1:].astype(float)
    confidence, liked = np.ones(N_ITEMS), np.zeros(N_ITEMS)
    confidence[np.array(history) - 1] = config.alpha
    liked[np.array(history) - 1] = 1
    left = items.T @ (confidence[:, None] * items) + config.regularization * np.eye(6)
    np.testing.assert_allclose(
        found, np.linalg.solve(left, items.T @ (confidence * liked)), rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize("name", PLUGINS)
def test_tastes_are_found(name, train, run):
    model = PLUGINS[name](PLUGINS[name].Config())
    given = {"train": train, "run": run} if name == "als" else {"train": train}
    model.fit(**given)
    queries = queries_of([[1, 2, 3], [20, 22]], [-1, -1])
    if name == "als":
        scores = model.score(queries=queries).queries @ model.embed_items()["fused"][1:].T
    else:
        scores = model.score(queries=queries)
    assert scores.shape == (2, N_ITEMS)
    assert scores[0, :15].mean() > scores[0, 15:].mean()
    assert scores[1, 15:].mean() > scores[1, :15].mean()
    assert len(PLUGINS[name].presets) == 1


@pytest.mark.parametrize("name", ["dim", "alpha", "regularization", "epochs", "max_history"])
def test_impossible_settings_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} is 0; it must be above 0"):
        models.ALSConfig(**{name: 0})


def test_entry_points_name_the_classes():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    found = {
        name: importlib.metadata.EntryPoint(name, value, "mmbench.models").load()
        for name, value in project["entry-points"]["mmbench.models"].items()
    }
    assert found == PLUGINS


def test_importing_the_models_loads_no_library():
    code = "import sys, mmbench_implicit.models; assert not {'implicit', 'scipy'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)
