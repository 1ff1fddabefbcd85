"""The training loop, its optimiser's groups, and both softmaxes in use."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmbench_sequential import training
from mmbench_sequential.attention import SASRec
from mmbench_sequential.configs import LRURecConfig, SASRecConfig
from mmbench_sequential.lru import LRURec
from mmbench_sequential.memory import keep_freed_blocks

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


def test_stops_after_patience_and_keeps_the_best_state(world):
    config = SASRecConfig(patience=3, epochs=20, **SMALL)
    states = []
    network = SASRec(world.n_items, config)
    run = run_with([])
    values = iter([0.1, 0.3, 0.2, 0.3, 0.1, 0.9])

    def validate():
        states.append(network.items.weight.detach().clone())
        return next(values)

    run.validate = validate
    training.train(network, world.train, config, run)
    epochs = [step for step, values in run.seen if "valid ndcg@10" in values]
    assert epochs == [1, 2, 3, 4, 5]
    assert torch.equal(network.items.weight, states[1])
    assert not torch.equal(states[1], states[4])


def test_validates_every_so_often_and_after_the_last_epoch(world):
    config = SASRecConfig(epochs=5, validate_every=2, **SMALL)
    run = run_with([0.1, 0.2, 0.3])
    training.train(SASRec(world.n_items, config), world.train, config, run)
    assert [step for step, values in run.seen if "valid ndcg@10" in values] == [2, 4, 5]


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


def test_the_callers_random_stream_is_left_alone():
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    with training.seeded(run_with([], seed=3)):
        inside = torch.rand(1)
    assert torch.equal(torch.rand(1), expected)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(1), inside)


def test_freed_blocks_are_kept_where_there_is_glibc():
    import platform

    assert keep_freed_blocks() is (platform.libc_ver()[0] == "glibc")
