"""The moving average of weights: against the formula, and in the training loop."""

from types import SimpleNamespace

import numpy as np
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


def test_the_average_is_the_recurrence_of_its_formula():
    rng = np.random.default_rng(0)
    values = rng.normal(size=40)
    network = torch.nn.Linear(1, 1, bias=False).double()
    average = moving_average(network, 0.8)
    expected = None
    for n, value in enumerate(values):
        with torch.no_grad():
            network.weight.fill_(value)
        average.update_parameters(network)
        d = min(0.8, n / (n + 9))
        expected = value if expected is None else d * expected + (1 - d) * value
        assert abs(average.module.weight.item() - expected) < 1e-12
    assert d == 0.8  # the limit was reached


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
    averaged, seen, steps = trained(world, 0.9)
    assert len(plain_steps) == len(steps)
    assert all(torch.equal(a, b) for a, b in zip(plain_steps, steps, strict=True))
    assert all(not torch.equal(a, b) for a, b in zip(plain_seen, seen, strict=True))
    assert torch.equal(plain.items.weight, plain_seen[-1])
    assert torch.equal(averaged.items.weight, seen[-1])

    expected = None  # by hand, from the weights before each step but the first, and the last
    for n, weights in enumerate([*steps[1:], plain_seen[-1]]):
        d = min(0.9, n / (n + 9))
        expected = weights if expected is None else d * expected + (1 - d) * weights
    torch.testing.assert_close(averaged.items.weight, expected)


def test_the_best_average_is_kept_not_the_last(world):
    network, seen, _ = trained(world, 0.9, values=(0.1, 0.3, 0.2))
    assert torch.equal(network.items.weight, seen[1])


def test_only_lrurec_averages():
    assert LRURecModel(LRURecConfig()).averaging == 0.999
    assert LRURecModel(LRURecModel.presets["prime"]).averaging == 0.0
    for model in (SASRecCE, GRU4RecCE, FMLPRec):
        assert model(model.Config()).averaging == 0.0
