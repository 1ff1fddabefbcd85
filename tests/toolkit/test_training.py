"""What models that train in epochs share: chance, early stopping, memory."""

import platform
import random
from types import SimpleNamespace

import numpy as np
import pytest

from mmbench.toolkit.training import early_stopping, keep_freed_blocks, seeded

torch = pytest.importorskip("torch")


class Counter(torch.nn.Module):
    """Its only weight counts epochs."""

    def __init__(self):
        super().__init__()
        self.register_buffer("epochs", torch.zeros(()))

    def run_epoch(self):
        self.epochs += 1
        return 10.0 - float(self.epochs)


def run_with(values):
    curves, bar, validations = [], [], iter(values)
    return SimpleNamespace(
        validate=lambda: next(validations),
        log=lambda step, **values: curves.append((step, values)),
        progress=lambda *place: bar.append(place),
        curves=curves,
        bar=bar,
    )


def schedule(epochs=20, patience=3, validate_every=1):
    return SimpleNamespace(epochs=epochs, patience=patience, validate_every=validate_every)


def validated(run):
    return [step for step, values in run.curves if "valid ndcg@10" in values]


def test_stops_after_patience_and_leaves_the_best_state():
    model, run = Counter(), run_with([0.1, 0.3, 0.2, 0.3, 0.1, 0.9])
    early_stopping(model, model.run_epoch, schedule(), run)
    assert validated(run) == [1, 2, 3, 4, 5]
    assert float(model.epochs) == 2
    assert run.curves[:2] == [(1, {"loss": 9.0}), (1, {"valid ndcg@10": 0.1})]
    assert run.bar == [(epoch, 20, "epochs") for epoch in (1, 2, 3, 4, 5)]


def test_validates_every_so_often_and_after_the_last_epoch():
    model, run = Counter(), run_with([0.1, 0.2, 0.3])
    early_stopping(model, model.run_epoch, schedule(epochs=5, validate_every=2), run)
    assert validated(run) == [2, 4, 5]
    assert float(model.epochs) == 5


def test_ready_sees_each_state_that_is_asked_for():
    model, run, seen = Counter(), run_with([0.5, 0.4, 0.3]), []
    early_stopping(
        model, model.run_epoch, schedule(epochs=3), run, lambda: seen.append(float(model.epochs))
    )
    assert seen == [1, 2, 3, 1]


@pytest.mark.parametrize("fails", [False, True])
def test_the_callers_streams_of_chance_are_left_alone(fails):
    def draw():
        return float(torch.rand(())), float(np.random.rand()), random.random()

    def seed(value):
        torch.manual_seed(value)
        np.random.seed(value)
        random.seed(value)

    seed(7)
    expected = draw()
    seed(7)
    try:
        with seeded(SimpleNamespace(seed=3, device="cpu")):
            inside = torch.rand(())
            seed(5)
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert fails
    assert draw() == expected
    torch.manual_seed(3)
    assert torch.equal(torch.rand(()), inside)


def test_freed_blocks_are_kept_where_there_is_glibc():
    assert keep_freed_blocks() is (platform.libc_ver()[0] == "glibc")
