"""The loss against float64, the rates, and what is trained at which."""

import numpy as np
import pytest
import torch
from mmbench_mmgpt2rec import training
from mmbench_mmgpt2rec.training import batch_loss, rate_at, weight_groups

N = 12
HISTORY = torch.tensor([[0, 0, 0, 1, 2, 3], [0, 9, 4, 4, 5, 6]])
TARGET = torch.tensor([[0, 0, 0, 2, 3, 8], [0, 4, 4, 5, 6, 11]])


def reference(network, history, target):
    """Cross entropy over the items, position by position, in float64."""
    double = network.double()
    table, terms = double.table(), []
    states = double(history, table)
    for row, wanted in zip(states, target, strict=True):
        for state, right in zip(row, wanted.tolist(), strict=True):
            if right:
                logits = table @ state
                terms.append(logits.logsumexp(0) - logits[right - 1])
    return torch.stack(terms).mean()


def test_the_loss_and_its_gradient_are_those_of_float64(network_of, nudge):
    network = network_of()
    nudge(network)
    network.train()
    found = batch_loss(network, HISTORY, TARGET, network.config, np.random.default_rng(0))
    found.backward()
    ours = {name: w.grad.double() for name, w in network.named_parameters() if w.grad is not None}
    network.zero_grad()
    expected = reference(network, HISTORY, TARGET)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
    expected.backward()
    theirs = {name: w.grad for name, w in network.named_parameters() if w.grad is not None}
    assert ours.keys() == theirs.keys()
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, theirs[name], rtol=1e-3, atol=1e-5)


def test_padding_is_neither_a_class_nor_a_target(network_of, nudge):
    """The mass is that of the items alone, and positions without a target do not count."""
    network = network_of()
    network.train()
    with torch.no_grad():  # all logits 0: the loss tells how many classes there are
        network.gpt2.ln_f.weight.zero_()
    loss = batch_loss(network, HISTORY, TARGET, network.config, np.random.default_rng(0))
    assert float(loss.detach()) == pytest.approx(np.log(N))
    nudge(network)
    apart = [
        batch_loss(
            network, HISTORY[k : k + 1], TARGET[k : k + 1], network.config, np.random.default_rng(0)
        )
        for k in (0, 1)
    ]
    together = batch_loss(network, HISTORY, TARGET, network.config, np.random.default_rng(0))
    torch.testing.assert_close((3 * apart[0] + 5 * apart[1]) / 8, together)


def test_rates_rise_fall_and_begin_anew():
    rates = [rate_at(step, 4, 10, 0.05) for step in range(24)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[9] == pytest.approx(0.05 + 0.95 / 2)
    assert rates[13] == pytest.approx(0.05, abs=0.03)
    assert rates[14] == 1.0
    assert all(0.05 <= rate <= 1 for rate in rates)
    assert np.all(np.diff(rates[4:14]) < 0)
    assert rate_at(0, 0, 10, 0.05) == 1.0


def test_the_table_and_gpt2_have_rates_of_their_own(network_of):
    network = network_of(
        fusion="weighted", residual=True, learning_rate=0.5, backbone_learning_rate=0.25
    )
    inside = {id(weight) for weight in network.gpt2.parameters()}
    seen = set()
    for group in weight_groups(network, network.config):
        for weight in group["params"]:
            seen.add(id(weight))
            assert group["lr"] == (0.25 if id(weight) in inside else 0.5)
            assert group["weight_decay"] == (network.config.weight_decay if weight.ndim > 1 else 0)
    assert seen == {id(weight) for weight in network.parameters()}


@pytest.mark.parametrize(
    ("changes", "moved", "still"),
    [
        ({}, ["fusion.weight", "fusion.bias", "missing", "gpt2.h.0.attn.c_attn.weight"], []),
        ({"residual": True}, ["residual", "fusion.weight"], []),
        ({"table": "free"}, ["free"], ["fusion.weight", "missing"]),
        (
            {"trained": "lora"},
            ["fusion.weight", "gpt2.h.0.attn.c_attn.lora_B.default.weight"],
            ["gpt2.h.0.attn.c_attn.base_layer.weight", "gpt2.wpe.weight"],
        ),
    ],
)
def test_what_learns(changes, moved, still, network_of, train, make_run):
    network = network_of(**changes)
    before = {name: w.detach().clone() for name, w in network.named_parameters()}
    few = type(train)(train.user, np.minimum(train.item, N), train.time, train.n_users, N)
    values = iter([0.1, 0.2])
    training.train(network, few, network.config, make_run(validate=lambda limit=None: next(values)))
    for name in moved:
        assert not torch.equal(dict(network.named_parameters())[name], before[name]), name
    for name in still:
        assert torch.equal(dict(network.named_parameters())[name], before[name]), name


def test_contrast_is_added(network_of, train, make_run):
    few = type(train)(train.user, np.minimum(train.item, N), train.time, train.n_users, N)
    losses = []
    for weight in (0.0, 2.0):
        network = network_of(contrast=weight, epochs=1, learning_rate=1e-9)
        make_run.curve.clear()
        training.train(network, few, network.config, make_run())
        losses.append(make_run.curve[0][1]["loss"])
    assert losses[1] > losses[0] + 1


def test_no_next_event_is_said_plainly(network_of, train, make_run):
    network = network_of()
    alone = type(train)(np.arange(3, dtype=np.int32), train.item[:3], train.time[:3], 3, N)
    with pytest.raises(ValueError, match="no user has two training events"):
        training.train(network, alone, network.config, make_run())
