"""Every model through its public hooks."""

import dataclasses
import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from mmbench_recbole import models
from mmbench_recbole.configs import (
    BERT4RecConfig,
    BPRConfig,
    FamilyConfig,
    GRU4RecConfig,
    ItemKNNConfig,
    PopConfig,
    SASRecConfig,
)
from mmbench_recbole.world import interaction

from mmbench import Published, Queries

SHORT = {"epochs": 2, "batch_size": 128}
FAMILY = ("LightGCN", "NARM", "FPMC", "CORE", "NeuMF", "MultiVAE", "EASE", "SHAN")
MAKERS = {
    "pop": lambda: models.Pop(PopConfig()),
    "itemknn": lambda: models.ItemKNN(ItemKNNConfig()),
    "bpr": lambda: models.BPR(BPRConfig(**SHORT)),
    "gru4rec": lambda: models.GRU4Rec(GRU4RecConfig(**SHORT)),
    "gru4rec-prefixes": lambda: models.GRU4Rec(GRU4RecConfig(train="prefixes", **SHORT)),
    "sasrec": lambda: models.SASRec(SASRecConfig(**SHORT)),
    "sasrec-prefixes": lambda: models.SASRec(SASRecConfig(train="prefixes", **SHORT)),
    "bert4rec": lambda: models.BERT4Rec(BERT4RecConfig(**SHORT)),
    **{
        f"recbole:{name}": lambda name=name: models.RecBole(
            FamilyConfig(model=name, max_history=10, **SHORT)
        )
        for name in FAMILY
    },
}
PLUGINS = (
    models.Pop,
    models.ItemKNN,
    models.BPR,
    models.GRU4Rec,
    models.SASRec,
    models.BERT4Rec,
    models.RecBole,
)


def take(queries, index):
    return Queries(queries.user[index], queries.history[index], queries.time[index])


@pytest.mark.parametrize("name", MAKERS)
def test_contract(name, world, fitted, queries_of, tmp_path, monkeypatch):
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    model = fitted(MAKERS[name]())
    scores = model.score(world.queries)

    assert scores.dtype == np.float32
    assert scores.shape == (len(world.queries), world.n_items)
    assert np.isfinite(scores).all()
    assert np.array_equal(scores, model.score(world.queries))

    alone = [model.score(take(world.queries, slice(k, k + 1))) for k in (0, 7, 50)]
    np.testing.assert_allclose(np.concatenate(alone), scores[[0, 7, 50]], rtol=1e-4, atol=1e-5)

    histories = [row[row > 0] for row in world.queries.history]
    wider = queries_of(histories, width=world.queries.history.shape[1] + 9)
    np.testing.assert_allclose(model.score(wider), scores, rtol=1e-4, atol=1e-5)

    nobody = queries_of([histories[0], []], user=[-1, -1])
    assert np.isfinite(model.score(nobody)).all()
    assert model.score(take(world.queries, slice(0, 0))).shape == (0, world.n_items)
    assert not list(empty.iterdir())


@pytest.mark.parametrize("name", MAKERS)
def test_seed_decides_everything(name, world, fitted):
    first, again = (fitted(MAKERS[name](), seed=3).score(world.queries) for _ in range(2))
    assert np.array_equal(first, again)
    if name not in ("pop", "itemknn", "recbole:EASE"):
        other = fitted(MAKERS[name](), seed=4).score(world.queries)
        assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("kind", "fields", "share"),
    [
        (models.GRU4Rec, {"epochs": 60, "learning_rate": 5e-3}, 0.9),
        (models.SASRec, {"epochs": 60, "learning_rate": 5e-3, "attention_dropout": 0.1}, 0.9),
        # The longest histories, a fifth, put the mask where no training row has one. With a row a
        # user instead of one an event, a third at most are right by then.
        (
            models.BERT4Rec,
            {"epochs": 30, "learning_rate": 2e-3, "attention_dropout": 0.1, "max_history": 10},
            0.7,
        ),
    ],
)
def test_learns_the_usual_successor(kind, fields, share, world, fitted):
    size = 32 if kind is models.BERT4Rec else 128
    config = kind.Config(batch_size=size, dropout=0.1, patience=80, validate_every=10, **fields)
    model = fitted(kind(config))
    successor = world.queries.history[:, -1] % world.n_items + 1
    top = model.score(world.queries).argmax(1) + 1
    assert (top == successor).mean() > share


def test_bert4rec_sees_a_history_of_one(world, fitted, queries_of):
    model = fitted(MAKERS["bert4rec"]())
    scores = model.score(queries_of([[4], [19]]))
    assert not np.allclose(scores[0], scores[1])


def test_bert4rec_sees_the_oldest_event_of_a_full_history(world, fitted, queries_of):
    model = fitted(models.BERT4Rec(BERT4RecConfig(max_history=5, **SHORT)))
    full, other, longer = model.score(
        queries_of([[1, 2, 3, 4, 5], [9, 2, 3, 4, 5], [7, 1, 2, 3, 4, 5]])
    )
    assert not np.allclose(full, other)
    np.testing.assert_allclose(full, longer, atol=1e-6)


def test_an_unknown_user_of_bpr_is_the_mean_user(world, fitted, queries_of):
    model = fitted(MAKERS["bpr"]())
    known = model.score(queries_of([[1]] * world.train.n_users))
    unknown = model.score(queries_of([[1]], user=[-1]))
    np.testing.assert_allclose(unknown[0], known.mean(0), atol=1e-6)


def test_autoencoders_and_item_similarities_read_the_querys_history(world, fitted, queries_of):
    for name in ("itemknn", "recbole:EASE", "recbole:MultiVAE"):
        model = fitted(MAKERS[name]())
        same_user = queries_of([[1, 2], [20, 21]], user=[0, 0])
        scores = model.score(same_user)
        assert not np.allclose(scores[0], scores[1]), name


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("EASE", "{}"),
        ("SLIMElastic", "{}"),
        ("ADMMSLIM", "{}"),
        ("ADMMSLIM", '{"center_columns": true}'),
        ("MultiDAE", "{}"),
        ("MacridVAE", "{}"),
    ],
)
def test_training_items_as_history_give_recboles_scores(name, settings, world, fitted):
    config = FamilyConfig(model=name, settings=settings, **SHORT)
    model = fitted(models.RecBole(config))
    with torch.no_grad():
        batch = interaction({"user_id": world.queries.user.astype(np.int64) + 1})
        theirs = model.network.model.full_sort_predict(batch).view(len(world.queries), -1)[:, 1:]
    np.testing.assert_allclose(model.score(world.queries), theirs.numpy(), rtol=1e-4, atol=1e-5)


def test_autoencoders_keep_their_training_items(world, fitted):
    model = fitted(MAKERS["recbole:MultiVAE"]())
    kept = model.network.model.history_item_id.clone()
    model.score(world.queries)
    assert model.network.model.history_item_id.equal(kept)


def test_curve_and_progress(world, fitted):
    record = fitted(MAKERS["sasrec"]()).record
    assert record.progress == [(1, 2, "epochs"), (2, 2, "epochs")]
    losses = [values["loss"] for _, values in record.curve if "loss" in values]
    valid = [values["valid ndcg@10"] for _, values in record.curve if "valid ndcg@10" in values]
    assert len(losses) == len(valid) == 2
    assert losses[1] < losses[0]


def test_users_without_training_events_are_no_obstacle(fitted, interactions_of, queries_of, world):
    train = interactions_of([[1, 2, 3], [], [2, 3, 4, 5], [7]], n_items=world.n_items)
    for name in ("pop", "itemknn", "bpr", "sasrec", "bert4rec", "recbole:LightGCN"):
        model = fitted(MAKERS[name](), train=train)
        scores = model.score(queries_of([[2], [3]], user=[1, -1]))
        assert np.isfinite(scores).all(), name


@pytest.mark.parametrize("name", ["sasrec", "gru4rec", "bert4rec"])
def test_no_next_event_is_said_plainly(name, fitted, interactions_of):
    lonely = interactions_of([[1], [2]], n_items=30)
    with pytest.raises(ValueError, match="no user has two training events"):
        fitted(MAKERS[name](), train=lonely)


@pytest.mark.parametrize("kind", PLUGINS)
def test_class_attributes(kind):
    assert kind.needs == frozenset()
    assert isinstance(kind.presets["paper"], kind.Config)
    assert kind.Config() == kind.presets["paper"]
    assert dataclasses.is_dataclass(kind.Config)
    assert all(isinstance(row, Published) for row in getattr(kind, "papers", ()))
    config = kind.Config()
    assert kind(config).config is config


def test_entry_points_name_the_classes():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    found = {}
    for name, value in project["entry-points"]["mmbench.models"].items():
        found[name] = importlib.metadata.EntryPoint(name, value, "mmbench.models").load()
    assert list(found) == ["pop", "itemknn", "bpr", "gru4rec", "sasrec", "bert4rec", "recbole"]
    assert list(found.values()) == list(PLUGINS)


def test_importing_the_models_loads_neither_torch_nor_recbole():
    code = (
        "import sys, mmbench_recbole.models; "
        "assert not {'torch', 'recbole', 'scipy'} & sys.modules.keys(), 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
