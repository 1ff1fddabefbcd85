"""The average of weights: against the formula, and in the training loop."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmbench_sequential import training
from mmbench_sequential.averaging import moving_average, standing_in
from mmbench_sequential.configs import LRURecConfig
from mmbench_sequential.lru import LRURec
from mmbench_sequential.models import FMLPRec, GRU4RecCE, SASRecCE
from mmbench_sequential.models import LRURec as LRURecModel

SMALL = LRURecConfig(
    precision="float32", dim=8, layers=1, batch_size=32, max_history=10, epochs=3, averaging=0.0
)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_average_is_that_of_its_formula(share):
    values = np.random.default_rng(0).normal(size=40)
    network = torch.nn.Linear(1, 1, bias=False).double()
    average = moving_average(network, share)
    weights = np.ones(0)  # of each step in the average, by hand
    for n, value in enumerate(values):
        with torch.no_grad():
            network.weight.fill_(value)
        average.update_parameters(network)
        enters = 1 / (1 + share * n)
        weights = np.append(weights * (1 - enters), enters)
        assert abs(average.module.weight.item() - weights @ values[: n + 1]) < 1e-12
    age = weights @ np.arange(40)[::-1]
    expected_age = {0.0: 0.0, 0.25: 39 / 5, 1.0: 39 / 2}  # n * share / (1 + share)
    assert abs(age - expected_age[share]) < 1e-9


def test_the_average_stands_in_and_leaves_again():
    network = torch.nn.Linear(2, 2)
    average = moving_average(network, 0.5)
    with torch.no_grad():
        network.weight.add_(1)
    own = network.weight.clone()
    with standing_in(network, average):
        assert torch.equal(network.weight, average.module.weight)
        assert not torch.equal(network.weight, own)
    assert torch.equal(network.weight, own)
    with standing_in(network, None):
        assert torch.equal(network.weight, own)


def trained(world, averaging, values=(0.1, 0.2, 0.3)):
    """The network after training, the weights at each validation and after each step."""
    torch.manual_seed(0)
    network = LRURec(world.n_items, SMALL)
    at_validation, at_steps = [], []
    answers = iter(values)

    def validate():
        at_validation.append(network.items.weight.detach().clone())
        return next(answers)

    run = SimpleNamespace(
        seed=0,
        device="cpu",
        validate=validate,
        log=lambda step, **values: None,
        progress=lambda *done: None,
    )
    original = training.batch_loss

    def watched(*args):
        at_steps.append(network.items.weight.detach().clone())
        return original(*args)

    training.batch_loss = watched
    try:
        torch.manual_seed(1)
        training.train(network, world.train, SMALL, run, averaging=averaging)
    finally:
        training.batch_loss = original
    return network, at_validation, at_steps


def test_the_average_is_validated_and_kept_and_training_goes_on_from_the_weights(world):
    plain, plain_seen, plain_steps = trained(world, 0.0)
    averaged, seen, steps = trained(world, 0.5)
    assert len(plain_steps) == len(steps)
    assert all(torch.equal(a, b) for a, b in zip(plain_steps, steps, strict=True))
    assert all(not torch.equal(a, b) for a, b in zip(plain_seen, seen, strict=True))
    assert torch.equal(plain.items.weight, plain_seen[-1])
    assert torch.equal(averaged.items.weight, seen[-1])

    expected = None  # by hand, from the weights before each step but the first, and the last
    for n, weights in enumerate([*steps[1:], plain_seen[-1]]):
        enters = 1 / (1 + 0.5 * n)
        expected = weights if expected is None else expected + enters * (weights - expected)
    torch.testing.assert_close(averaged.items.weight, expected)


def test_the_best_average_is_kept_not_the_last(world):
    network, seen, _ = trained(world, 0.5, values=(0.1, 0.3, 0.2))
    assert torch.equal(network.items.weight, seen[1])


def test_only_lrurec_averages():
    assert LRURecModel(LRURecConfig()).averaging == 0.25
    assert LRURecModel(LRURecModel.presets["prime"]).averaging == 0.0
    for model in (SASRecCE, GRU4RecCE, FMLPRec):
        assert model(model.Config()).averaging == 0.0
