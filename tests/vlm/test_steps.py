"""What a step of the training loop does to the weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from mmbench import vlm
from mmbench.vlm.training import within

from .conftest import make_run
from .regression import POINTS, Regression, fit, stack, weights


def test_accumulated_batches_make_the_step_of_a_large_one(tmp_path):
    def exact(some, rng):
        return torch.from_numpy(np.stack(some))

    results = []
    for size, parts in ((20, 1), (5, 4)):
        module = Regression(dropout=0.0)
        config = vlm.TrainingConfig(
            epochs=3, batch_size=size, accumulation=parts, learning_rate=1e-2, validate_every=0
        )
        vlm.train(module, POINTS, exact, config, make_run(tmp_path / str(size)))
        results.append(weights(module))
    assert torch.allclose(*results, atol=1e-6)


def test_rates_by_name_and_decay_of_matrices_alone(tmp_path):
    module = Regression(dropout=0.0)
    before = {name: weight.detach().clone() for name, weight in module.named_parameters()}
    config = vlm.TrainingConfig(epochs=1, learning_rate=1e-2, validate_every=0, weight_decay=0.0)
    rates = {"line.0": 0.0}
    vlm.train(module, POINTS, stack, config, make_run(tmp_path / "a"), learning_rates=rates)
    moved = {n for n, w in module.named_parameters() if not torch.equal(w.detach(), before[n])}
    assert moved == {"line.2.weight", "line.2.bias", "offset.bias"}

    class Still(Regression):
        def forward(self, batch):
            return super().forward(batch)["loss"] * 0

    module = Still()
    config = replace(config, weight_decay=0.5)
    vlm.train(module, POINTS, stack, config, make_run(tmp_path / "b"))
    for name, weight in module.named_parameters():
        if name.startswith("line"):
            assert torch.equal(weight.detach(), before[name]) == name.endswith("bias")


def test_warmup_and_schedule(tmp_path):
    """Rates are seen in how far a weight with a constant gradient moves: AdamW moves it by lr."""

    class Slide(nn.Module):
        def __init__(self):
            super().__init__()
            self.place = nn.Parameter(torch.zeros(1))
            self.path = []

        def forward(self, batch):
            self.path.append(float(self.place.detach()))
            return self.place.sum()

    def rates(**settings):
        module = Slide()
        config = vlm.TrainingConfig(
            epochs=5,
            batch_size=10,
            learning_rate=0.1,
            weight_decay=0.0,
            validate_every=0,
            **settings,
        )
        vlm.train(module, POINTS, stack, config, make_run(tmp_path / str(settings)))
        return -np.diff([*module.path, float(module.place.detach())]) / 0.1

    assert np.allclose(rates(warmup=0.0), 1, atol=1e-3)
    assert np.allclose(rates(warmup=0.2), [0, 0.5, *[1] * 8], atol=1e-3)
    linear = rates(warmup=0.0, schedule="linear")
    assert np.allclose(linear, 1 - np.arange(10) / 10, atol=1e-3)
    cosine = rates(warmup=0.0, schedule="cosine")
    assert np.allclose(cosine, (1 + np.cos(np.pi * np.arange(10) / 10)) / 2, atol=1e-3)


def test_gradients_are_cut(tmp_path):
    class Steep(nn.Module):
        def __init__(self):
            super().__init__()
            self.place = nn.Parameter(torch.ones(2))
            self.norms = []

        def forward(self, batch):
            if self.place.grad is not None:
                self.norms.append(float(self.place.grad.norm()))
            return 1000 * self.place.sum()

    norms = []
    module = Steep()
    module.place.register_post_accumulate_grad_hook(lambda w: norms.append(float(w.grad.norm())))
    optimizer_step = torch.optim.AdamW.step
    seen = []

    def step(self, *args, **kwargs):
        seen.append(float(module.place.grad.norm()))
        return optimizer_step(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", step)
        config = vlm.TrainingConfig(epochs=1, batch_size=20, clip=0.5, validate_every=0)
        vlm.train(module, POINTS, stack, config, make_run(tmp_path))
    assert norms[0] > 1000
    assert seen == pytest.approx([0.5], rel=1e-4)


def test_a_loss_that_is_not_finite_is_said(tmp_path):
    class Burst(nn.Module):
        def __init__(self):
            super().__init__()
            self.place = nn.Parameter(torch.ones(1))

        def forward(self, batch):
            return self.place.sum() / 0

    with pytest.raises(FloatingPointError, match=r"the loss became inf: lower learning_rate"):
        vlm.train(Burst(), POINTS, stack, vlm.TrainingConfig(), make_run(tmp_path))


def test_eight_bit_moments(tmp_path):
    pytest.importorskip("bitsandbytes")
    module = Regression(dropout=0.0)
    before = float(module(torch.from_numpy(np.stack(POINTS)))["loss"].detach())
    fit(tmp_path, module=module, optimizer="adamw8bit", epochs=20, validate_every=0)
    assert float(module(torch.from_numpy(np.stack(POINTS)))["loss"].detach()) < before / 2


def test_configs_refuse_what_cannot_be():
    with pytest.raises(ValueError, match="epochs is 0; at least 1 is due"):
        vlm.TrainingConfig(epochs=0)
    with pytest.raises(ValueError, match="lora_rank is 0; at least 1 is due"):
        vlm.BackboneConfig(lora_rank=0)


def test_a_budget_of_tokens_draws_one_sample_for_all_epochs(tmp_path):
    seen, logged = [], {}

    def note(some, rng):
        seen.extend(tuple(point) for point in some)
        return stack(some, rng)

    def log(step, **values):
        logged.setdefault(step, {}).update(values)

    run = replace(make_run(tmp_path / "a"), log=log)
    config = vlm.TrainingConfig(
        epochs=3, batch_size=2, learning_rate=1e-2, validate_every=0, training_tokens=3 * 45
    )
    vlm.train(Regression(), POINTS, note, config, run, lengths=[10] * len(POINTS))
    epochs = [set(seen[start : start + 4]) for start in (0, 4, 8)]
    assert len(epochs[0]) == 4
    assert epochs[0] == epochs[1] == epochs[2]
    assert logged[0] == {"examples": 4, "training tokens": 120}
    with pytest.raises(ValueError, match="no lengths were given"):
        vlm.train(Regression(), POINTS, stack, config, make_run(tmp_path / "b"))


def test_a_sample_within_a_budget():
    lengths = [5, 100, 5, 5, 5]
    assert within(lengths, 120, 0) == [0, 1, 2, 3, 4]
    for seed in range(20):
        found = within(lengths, 12, seed)
        assert found == sorted(set(found))
        assert sum(lengths[number] for number in found) <= 12 or len(found) == 1
    assert len({tuple(within(lengths, 12, seed)) for seed in range(20)}) > 3
