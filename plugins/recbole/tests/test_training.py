from types import SimpleNamespace

import pytest
import torch
from mmbench_recbole.negatives import Negatives
from mmbench_recbole.training import train


class Climber:
    """One weight that each epoch raises by about the learning rate."""

    def __init__(self, loss=lambda w: -w.sum()):
        self.model = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(self.model.weight)
        self.model.calculate_loss = lambda batch: loss(self.model.weight)
        self.asked = 0

    def epoch(self):
        return [None]

    def ready(self):
        self.asked += 1


def schedule(**fields):
    defaults = {
        "epochs": 20,
        "learning_rate": 1.0,
        "weight_decay": 0.0,
        "patience": 3,
        "validate_every": 1,
    }
    return SimpleNamespace(**defaults | fields)


def run_with(values):
    seen = []
    validate = iter(values)
    return SimpleNamespace(
        validate=lambda: next(validate),
        log=lambda step, **v: seen.append((step, v)),
        progress=lambda *a: None,
        seen=seen,
    )


def test_the_best_state_is_left_and_scores_from_it():
    climber = Climber()
    train(climber, schedule(epochs=4), run_with([0.1, 0.3, 0.2, 0.2]))
    assert float(climber.model.weight.detach()) == pytest.approx(2.0, abs=1e-3)
    assert climber.asked == 5  # after each epoch, and for the state that was put back


def test_losses_in_parts_are_summed():
    climber = Climber(loss=lambda w: (-w.sum(), -0.0 * w.sum()))
    train(climber, schedule(epochs=1), run_with([0.1]))
    assert float(climber.model.weight.detach()) == pytest.approx(1.0, abs=1e-3)


def test_a_diverging_loss_says_what_to_do():
    climber = Climber(loss=lambda w: (w * float("nan")).sum())
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        train(climber, schedule(), run_with([]))


def test_negatives_avoid_a_users_training_items(world):
    import numpy as np

    user = np.repeat(np.arange(world.train.n_users), 40)
    drawn = Negatives(world.train).draw(user, np.random.default_rng(0))
    had = set(zip(world.train.user.tolist(), world.train.item.tolist(), strict=True))
    assert not had & set(zip(user.tolist(), drawn.tolist(), strict=True))
    assert drawn.min() == 1
    assert drawn.max() == world.n_items


def test_a_user_who_had_everything_still_gets_a_negative(interactions_of):
    import numpy as np

    negatives = Negatives(interactions_of([[1, 2, 3]], n_items=3))
    assert 1 <= negatives.draw(np.zeros(1, dtype=int), np.random.default_rng(0))[0] <= 3
