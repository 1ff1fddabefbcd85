"""Every model through its public hooks."""

import dataclasses
import importlib.metadata
import itertools
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from mmbench_sequential import models

from mmbench import Published, Queries
from mmbench.grid.config import as_dict, build

PLUGINS = {
    "sasrec-ce": models.SASRecCE,
    "gru4rec-ce": models.GRU4RecCE,
    "lrurec": models.LRURec,
    "fmlprec": models.FMLPRec,
}
SMALL = {"dim": 16, "batch_size": 16, "max_history": 10}


def make(name, **fields):
    kind = PLUGINS[name]
    known = {field.name for field in dataclasses.fields(kind.Config)}
    sizes = {"inner": 32, "hidden": 24} if name != "lrurec" else {}
    given = {**SMALL, "epochs": 2, **sizes, **fields}
    return kind(kind.Config(**{key: value for key, value in given.items() if key in known}))


def take(queries, index):
    return Queries(queries.user[index], queries.history[index], queries.time[index])


@pytest.mark.parametrize("name", PLUGINS)
def test_contract(name, world, fitted, queries_of, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    model = fitted(make(name))
    scores = model.rated(world.queries)
    assert scores.dtype == np.float32
    assert scores.shape == (len(world.queries), world.n_items)
    assert np.isfinite(scores).all()
    assert np.array_equal(scores, model.rated(world.queries))

    alone = [model.rated(take(world.queries, slice(k, k + 1))) for k in (0, 7, 50)]
    np.testing.assert_allclose(np.concatenate(alone), scores[[0, 7, 50]], rtol=0, atol=1e-5)
    back = model.rated(take(world.queries, slice(None, None, -1)))
    np.testing.assert_allclose(back[::-1], scores, rtol=0, atol=1e-5)
    histories = [row[row > 0] for row in world.queries.history]
    for width in (max(map(len, histories)), 25):
        other = model.rated(queries_of(histories, width=width))
        np.testing.assert_allclose(other, scores, rtol=0, atol=1e-5)

    odd = model.rated(queries_of([histories[0], histories[0][-1:], []], user=[-1, -1, 3]))
    assert np.isfinite(odd).all()
    np.testing.assert_allclose(odd[0], scores[0], rtol=0, atol=1e-5)
    assert not np.allclose(odd[1], odd[2])
    assert model.rated(take(world.queries, slice(0, 0))).shape == (0, world.n_items)
    assert not list(Path.cwd().iterdir())
    assert model.record.progress == [(1, 2, "epochs"), (2, 2, "epochs")]


@pytest.mark.parametrize("name", PLUGINS)
def test_embeddings_are_the_states_and_the_table(name, world, fitted):
    model = fitted(make(name, epochs=1))
    items, queries = model.embed_items()["fused"], model.embed_queries(world.queries)["fused"]
    assert items.dtype == queries.dtype == np.float32
    assert items.shape == (world.n_items + 1, queries.shape[1])
    assert not items[0].any()
    assert np.array_equal(model.score(world.queries).queries, queries)
    network = model.network.eval()
    with torch.inference_mode():
        history = torch.from_numpy(world.queries.history.astype(np.int64))
        scores = network.queries(network(history)[:, -1]) @ network.table().T
    np.testing.assert_allclose(queries @ items[1:].T, scores.numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", PLUGINS)
def test_only_the_last_events_are_seen(name, world, fitted, queries_of):
    model = fitted(make(name, epochs=1, max_history=3))
    full, other, longer = model.rated(queries_of([[1, 2, 3], [9, 2, 3], [7, 8, 1, 2, 3]]))
    assert not np.allclose(full, other)
    np.testing.assert_allclose(full, longer, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", PLUGINS)
def test_seed_decides_everything(name, world, fitted):
    first, again, other = (
        fitted(make(name, epochs=1), seed=seed).rated(world.queries) for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("sasrec-ce", {}),
        ("sasrec-ce", {"precision": "bfloat16"}),
        ("sasrec-ce", {"sampled_above": 5, "negatives": 10}),
        ("gru4rec-ce", {}),
        ("lrurec", {}),
        ("fmlprec", {"batch_size": 64}),
    ],
)
def test_learns_the_usual_successor(name, fields, world, fitted):
    schedule = {"epochs": 24, "validate_every": 8, "learning_rate": 1e-2, "dropout": 0.1}
    model = fitted(make(name, **{**schedule, **fields}))
    successor = world.queries.history[:, -1] % world.n_items + 1
    top = model.rated(world.queries).argmax(1) + 1
    assert (top == successor).mean() > 0.9


def test_lrurec_answers_an_empty_history_with_what_users_begin_with(
    fitted, interactions_of, queries_of, world
):
    train = interactions_of([[4, 9, 2], [4, 3], [4], [4, 8, 7], [4, 1], [5, 6]] * 5, world.n_items)
    model = fitted(make("lrurec", epochs=20, learning_rate=1e-2, dropout=0.0), train=train)
    assert model.rated(queries_of([[]])).argmax() + 1 == 4


@pytest.mark.parametrize("name", PLUGINS)
def test_users_with_few_training_events_are_no_obstacle(
    name, fitted, interactions_of, queries_of, world
):
    train = interactions_of([[1, 2, 3], [], [2, 3, 4, 5], [7]], n_items=world.n_items)
    model = fitted(make(name, epochs=1), train=train)
    assert np.isfinite(model.rated(queries_of([[2], [3]], user=[1, -1]))).all()


@pytest.mark.parametrize("name", ["sasrec-ce", "gru4rec-ce", "fmlprec"])
def test_no_next_event_is_said_plainly(name, fitted, interactions_of, world):
    with pytest.raises(ValueError, match="no user has two training events"):
        fitted(make(name), train=interactions_of([[1], [2]], n_items=world.n_items))


@pytest.mark.parametrize("name", PLUGINS)
def test_class_attributes(name):
    kind = PLUGINS[name]
    assert kind.needs == frozenset()
    assert kind.Config() == kind.presets["paper"]
    papers = getattr(kind, "papers", ())
    told = list(itertools.chain(*papers.values())) if isinstance(papers, dict) else papers
    assert all(isinstance(row, Published) for row in told)
    assert not isinstance(papers, dict) or set(papers) <= {"", *kind.presets}
    config = kind.Config()
    assert kind(config).config is config


@pytest.mark.parametrize("name", PLUGINS)
def test_presets_survive_their_way_through_plain_data(name):
    kind = PLUGINS[name]
    for preset in kind.presets.values():
        assert build(kind.Config, as_dict(preset), name) == preset


def test_presets_are_the_stated_settings():
    paper, prime = (models.LRURec.presets[name] for name in ("paper", "prime"))
    assert (paper.dropout, paper.weight_decay, prime.dropout, prime.weight_decay) == (
        0.5,
        0.01,
        0.6,
        0.0,
    )
    assert dataclasses.replace(prime, dropout=0.5, weight_decay=0.01) == paper


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dropout": 1.0}, "dropout is 1.0; it must be at least 0 and below 1"),
        ({"heads": 3}, "heads must divide dim"),
        ({"precision": "float16"}, "one of auto, float32, bfloat16"),
        ({"clip": 0.0}, "clip is 0.0; it must be above 0"),
    ],
)
def test_impossible_settings_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        models.SASRecCE.Config(**fields)


def test_entry_points_name_the_classes():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    found = {
        name: importlib.metadata.EntryPoint(name, value, "mmbench.models").load()
        for name, value in project["entry-points"]["mmbench.models"].items()
    }
    assert found == PLUGINS


def test_importing_the_models_loads_no_torch():
    code = "import sys, mmbench_sequential.models; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
