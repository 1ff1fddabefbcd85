"""The training loop, its optimiser's groups, and both softmaxes in use."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmbench_sequential import training
from mmbench_sequential.attention import SASRec
from mmbench_sequential.configs import LRURecConfig, SASRecConfig
from mmbench_sequential.lru import LRURec

SMALL = {
    "precision": "float32",
    "dim": 8,
    "inner": 16,
    "layers": 1,
    "batch_size": 32,
    "max_history": 10,
}


def run_with(values, seed=0):
    seen, validate = [], iter(values)
    return SimpleNamespace(
        seed=seed,
        device="cpu",
        validate=lambda: next(validate),
        log=lambda step, **v: seen.append((step, v)),
        progress=lambda *a: None,
        seen=seen,
    )


def test_a_diverging_loss_says_what_to_do(world):
    config = SASRecConfig(**SMALL)
    network = SASRec(world.n_items, config)
    with torch.no_grad():
        network.items.weight[3] = float("nan")
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        training.train(network, world.train, config, run_with([]))


def test_weight_decay_spares_biases_and_layer_norms():
    network = LRURec(12, LRURecConfig(dim=8))
    decayed, spared = training.decay_groups(network, 0.25)
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.25, 0.0)
    names = {id(weight): name for name, weight in network.named_parameters()}
    spared_names = {names[id(weight)] for weight in spared["params"]}
    assert spared_names == {n for n in names.values() if n.endswith("bias") or "norm" in n}
    assert len(decayed["params"]) + len(spared["params"]) == len(names)
    assert "items.weight" in {names[id(weight)] for weight in decayed["params"]}


def test_the_padding_vector_stays_zero(world):
    config = SASRecConfig(epochs=1, weight_decay=0.1, **SMALL)
    network = SASRec(world.n_items, config)
    training.train(network, world.train, config, run_with([0.1]))
    assert not network.items.weight[0].any()


def one_batch(world, config):
    torch.manual_seed(0)
    network = SASRec(world.n_items, config)
    rows = training.training_rows(network, world.train)
    rng = np.random.default_rng(0)
    return network, next(training.epoch_batches(network, world.train, rows, config, rng, "cpu"))


def test_a_batchs_loss_is_the_mean_over_its_trained_positions(world):
    config = SASRecConfig(**SMALL)
    network, (history, target) = one_batch(world, config)
    network.double().eval()
    found = training.batch_loss(network, history, target, config, np.random.default_rng(0))
    logits = network(history) @ network.items.weight[1:].T
    expected = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), target.flatten() - 1, ignore_index=-1
    )
    torch.testing.assert_close(found, expected)


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("logits", "lanes"), [(1, 3), (2**20, 1)])
@pytest.mark.parametrize(("positions", "threads"), [(1, 3), (4096, 1)])
def test_threads_go_where_there_is_work_for_them(
    world, monkeypatch, three_threads, logits, lanes, positions, threads
):
    """To the softmax in lanes, to the network as torch's; small ones get one."""
    seen = set()

    def watched(*tensors, lanes, **options):
        seen.add((lanes, torch.get_num_threads()))
        return original(*tensors, lanes=lanes, **options)

    original = training.full_loss
    monkeypatch.setattr(training, "full_loss", watched)
    monkeypatch.setattr(training, "LANE_LOGITS", logits)
    monkeypatch.setattr("mmbench_sequential.threads.DIVIDED_FROM", positions)
    config = SASRecConfig(epochs=1, **SMALL)
    training.train(SASRec(world.n_items, config), world.train, config, run_with([0.1]))
    assert seen == {(lanes, threads)}
    assert torch.get_num_threads() == 3


def test_large_catalogues_are_sampled(world, monkeypatch):
    calls = []

    def watched(hidden, table, target, negatives):
        calls.append(negatives)
        return original(hidden, table, target, negatives)

    original = training.sampled_loss
    monkeypatch.setattr(training, "sampled_loss", watched)
    for above, used in ((world.n_items, False), (world.n_items - 1, True)):
        config = SASRecConfig(sampled_above=above, negatives=6, **SMALL)
        network, (history, target) = one_batch(world, config)
        training.batch_loss(network, history, target, config, np.random.default_rng(0)).backward()
        assert bool(calls) is used
        assert network.items.weight.grad.any()
    assert calls[0].shape == (6,)
    assert calls[0].min() >= 0 and calls[0].max() < world.n_items
