"""Items that start from another model's vectors."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmbench_sequential import models, training
from mmbench_sequential.configs import LRURecConfig, SASRecConfig
from mmbench_sequential.network import Adapted

MODELS = [models.SASRecCE, models.GRU4RecCE, models.LRURec, models.FMLPRec]
SMALL = {"dim": 8, "max_history": 10, "epochs": 1, "batch_size": 16, "init": "other"}
PLAIN = {"init_transform": "raw", "init_scaled": False, "init_residual": False}


def make(kind, **fields):
    sizes = {"inner": 16, "hidden": 12}
    known = {field.name for field in dataclasses.fields(kind.Config)}
    given = {**SMALL, **PLAIN, **sizes, **fields}
    return kind(kind.Config(**{key: value for key, value in given.items() if key in known}))


@pytest.fixture
def vectors(world):
    drawn = np.random.default_rng(0).normal(size=(world.n_items + 1, 5)).astype(np.float32)
    drawn[0] = 0
    return drawn


def scores_of(model, queries):
    return model.score(queries).queries @ model.embed_items()["fused"][1:].T


def start(network, vectors, *, frozen=True, scaled=False, residual=False):
    network.start_from(
        torch.from_numpy(vectors[1:]), frozen=frozen, scaled=scaled, residual=residual
    )
    return network


def one_network(vectors, *, kind=models.SASRecCE, **how):
    torch.manual_seed(0)
    model = make(kind, dropout=0.0)
    return start(model.build(len(vectors) - 1), vectors, **how)


@pytest.mark.parametrize("kind", MODELS)
def test_reading_and_rating_use_the_same_mapped_vectors(kind, vectors):
    network = one_network(vectors, kind=kind)
    items = network.items
    mapped = torch.from_numpy(vectors) @ items.map.T + items.offset
    every = torch.arange(len(vectors))[None]
    torch.testing.assert_close(items(every)[0, 1:], mapped[1:])
    torch.testing.assert_close(items.weight[1:], mapped[1:])
    torch.testing.assert_close(items(every)[0, 0], items.padding)
    torch.testing.assert_close(items.weight[0], items.padding)
    torch.testing.assert_close(network.table()[:, : items.map.shape[0]], mapped[1:])


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("side", ["input", "output"])
def test_the_adapter_learns_from_both_sides(kind, side, vectors, monkeypatch):
    """Each side alone gives a gradient, and the two add up to the whole."""
    history, target = torch.tensor([[0, 3, 4, 5]]), torch.tensor([6])

    def gradient(cut):
        network = one_network(vectors, kind=kind)
        network.eval()
        width = network.max_history if network.fixed_width else history.shape[1]
        shown = torch.zeros(1, width, dtype=torch.int64)
        shown[:, -history.shape[1] :] = history
        table = network.table()
        if cut == "output":
            table = table.detach()
        if cut == "input":
            forward = network.items.forward
            monkeypatch.setattr(network.items, "forward", lambda h: forward(h).detach())
        state = network.queries(network(shown)[:, -1])
        torch.nn.functional.cross_entropy(state @ table.T, target - 1).backward()
        return network.items.map.grad

    other = {"input": "output", "output": "input"}[side]
    alone, whole = gradient(cut=other), gradient(cut=None)
    assert alone.abs().max() > 1e-7
    torch.testing.assert_close(alone + gradient(cut=side), whole)
    assert not torch.allclose(alone, whole)


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_vectors_stay_and_others_learn(frozen, vectors, world, fitted):
    model = fitted(make(models.SASRecCE, init_frozen=frozen), features={"init": vectors})
    now = model.network.items.vectors.detach().numpy()
    assert np.array_equal(now, vectors[1:]) is frozen
    names = {name for name, weight in model.network.named_parameters() if weight.requires_grad}
    assert ("items.vectors" in names) is not frozen
    assert {"items.map", "items.offset"} <= names


@pytest.mark.parametrize("kind", MODELS)
def test_fit_score_and_embeddings_agree(kind, vectors, world, fitted):
    model = fitted(make(kind), features={"init": vectors})
    assert isinstance(model.network.items, Adapted)
    scores = model.rated(world.queries)
    items, queries = model.embed_items()["fused"], model.embed_queries(world.queries)["fused"]
    np.testing.assert_allclose(queries @ items[1:].T, scores, rtol=0, atol=1e-5)
    other = fitted(make(kind), features={"init": vectors[:, ::-1].copy()})
    assert not np.allclose(other.rated(world.queries), scores)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("n_items", [5, 333, 777])
def test_items_that_start_from_equal_vectors_are_level(kind, n_items):
    """Wherever they stand; ``lrurec`` has a bias for each item beside."""
    drawn = np.random.default_rng(n_items).normal(size=(n_items + 1, 33)).astype(np.float32)
    drawn[2:] = drawn[np.random.default_rng(1).integers(1, max(2, n_items // 50), n_items - 1)]
    model = make(kind, dim=7, heads=1)
    model.network = model.build(n_items)
    start(model.network, drawn)
    found = model.embed_items()["fused"][1:, :7]
    _, first, place = np.unique(drawn[1:], axis=0, return_index=True, return_inverse=True)
    np.testing.assert_array_equal(found, found[first[place.ravel()]])
    loose = model.network.items
    torch.testing.assert_close(loose.train().weight, loose.eval().weight)


def test_the_initial_map_is_xavier_normal(world):
    vectors = np.random.default_rng(0).normal(size=(world.n_items + 1, 400)).astype(np.float32)
    config = SASRecConfig(dim=200, inner=8, init="other")
    network = models.SASRecCE(config).build(world.n_items)
    start(network, vectors)
    assert float(network.items.map.detach().std()) == pytest.approx((2 / 600) ** 0.5, rel=0.02)
    assert not network.items.offset.any()


@pytest.mark.parametrize("kind", MODELS)
def test_scaled_vectors_start_with_the_spread_of_the_models_own(kind, vectors):
    own = float(make(kind).build(len(vectors) - 1).items.weight.detach()[1:].std())
    network = one_network(100 * vectors, kind=kind, scaled=True)
    assert float(network.items.weight.detach()[1:].std()) == pytest.approx(own, rel=0.5)
    rows = network.items.vectors @ network.items.map.T
    assert rows.std().item() == pytest.approx(
        one_network(vectors, kind=kind, scaled=True).items.weight[1:].std().item(), rel=1e-3
    )


def test_a_residual_starts_at_nothing_learns_and_parts_items_of_one_vector(vectors, fitted):
    vectors[4] = vectors[5]
    plain, beside = one_network(vectors), one_network(vectors, residual=True)
    torch.testing.assert_close(plain.items.weight, beside.items.weight)
    model = fitted(make(models.SASRecCE, init_residual=True), features={"init": vectors})
    residual = model.network.items.residual.detach()
    assert residual.abs().sum(1).min() > 0
    rows = model.embed_items()["fused"]
    assert not np.allclose(rows[4], rows[5])
    level = fitted(make(models.SASRecCE), features={"init": vectors}).embed_items()["fused"]
    np.testing.assert_array_equal(level[4], level[5])


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("how", [{"init_frozen": True}, {"init_residual": True}])
def test_a_kept_fit_needs_no_upstream(kind, how, vectors, world, fitted):
    model = fitted(make(kind, **how), features={"init": vectors})
    kept = {name: part.numpy(force=True) for name, part in model.keep().items()}
    other = make(kind, **how)
    other.restore(kept, world.train, SimpleNamespace(device="cpu", seed=0))
    np.testing.assert_array_equal(scores_of(other, world.queries), scores_of(model, world.queries))


def test_both_ways_see_the_residual(vectors):
    network = one_network(vectors, residual=True)
    with torch.no_grad():
        network.items.residual.normal_()
    every = torch.arange(len(vectors))[None]
    torch.testing.assert_close(network.items(every)[0], network.items.weight)


def test_lrurec_still_learns_its_padding(vectors, world):
    network = models.LRURec(LRURecConfig(dim=8)).build(world.n_items)
    before = network.items.weight[0].detach().clone()
    start(network, vectors)
    torch.testing.assert_close(network.items.padding.detach(), before)
    assert "items.padding" in dict(network.named_parameters())
    plain = one_network(vectors)
    assert "items.padding" not in dict(plain.named_parameters())


def test_what_is_wrong_is_said(vectors, world, fitted):
    with pytest.raises(ValueError, match="init=other wants that model's item embeddings"):
        fitted(make(models.SASRecCE))
    with pytest.raises(ValueError, match="vectors of 9 items, not of 20"):
        fitted(make(models.SASRecCE), features={"init": vectors[:10].copy()})
    broken = vectors.copy()
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        fitted(make(models.SASRecCE), features={"init": broken})


def test_auto_is_bfloat16_only_where_the_processor_has_it(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    assert training.narrow_type("auto", cpu) is torch.bfloat16
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False, raising=False)
    assert training.narrow_type("auto", cpu) is None
    assert training.narrow_type("bfloat16", cpu) is torch.bfloat16
    assert training.narrow_type("float32", torch.device("cuda")) is None
