"""The preference phase: who is asked what, what is learned, and what stands still."""

import numpy as np
import pytest
import torch
from mmbench_prime.losses import log_likelihood
from mmbench_prime.preference import (
    Shares,
    _rise_and_fall,
    first_is_better,
    preference_loss,
    set_dropout,
    train_by_preference,
)
from mmbench_prime.ranker import Ranker
from mmbench_prime.retriever import Retriever
from mmbench_prime.sets import Pairs, draw_pairs, prefer
from mmbench_sequential.training import every_position, left_padded


def flags(*values):
    return torch.tensor(values)


@pytest.fixture
def pairs():
    """Both, first only, both, inserted; of a catalogue of 6 with target 5."""
    return Pairs(
        first=torch.tensor([[0, 5, 1], [5, 1, 2], [3, 5, 4], [5, 0, 1]]),
        second=torch.tensor([[5, 2, 3], [0, 1, 2], [5, 0, 1], [2, 3, 4]]),
        in_first=flags(True, True, True, True),
        in_second=flags(True, False, True, False),
        inserted=flags(False, False, False, True),
    )


HISTORIES = [(1,), (2,), (3, 4), ()]


def test_the_ranker_is_asked_where_both_hold_the_target_in_the_retriever_s_order(pairs):
    log_p = torch.log_softmax(torch.arange(6.0).repeat(4, 1), 1)  # the higher, the likelier
    asked = []

    def rank(tasks):
        asked.extend(tasks)
        return [np.arange(3.0) for _ in tasks]

    first_is_better(pairs, log_p, torch.full((4,), 5), HISTORIES, rank)
    assert [(task.history, task.candidates) for task in asked] == [
        ((1,), (6, 2, 1)),
        ((1,), (6, 4, 3)),
        ((3, 4), (6, 5, 4)),
        ((3, 4), (6, 2, 1)),
    ]


def test_the_higher_place_of_the_target_wins_and_a_tie_goes_to_the_first(pairs):
    log_p = torch.log_softmax(torch.arange(6.0).repeat(4, 1), 1)
    # item 6 (the target) heads each list: rates say how many stand above it
    above = iter([0, 1, 2, 1])

    def rank(tasks):
        return [np.array([0.0, 1.0 * (n > 0), 1.0 * (n > 1)]) for n in above]

    found = first_is_better(pairs, log_p, torch.full((4,), 5), HISTORIES, rank)
    assert found.tolist() == [True, True, False, True]
    tied = first_is_better(
        pairs, log_p, torch.full((4,), 5), HISTORIES, lambda tasks: [np.zeros(3) for _ in tasks]
    )
    assert tied.tolist() == [True] * 4


def test_nobody_is_asked_where_no_pair_needs_it(pairs):
    lone = Pairs(*(getattr(pairs, name)[[1, 3]] for name in Pairs.__slots__))

    def rank(tasks):
        raise AssertionError

    assert first_is_better(lone, torch.zeros(2, 6), torch.tensor([5, 5]), [(), ()], rank).all()


def test_shares_add_up(pairs):
    shares = Shares()
    shares.count(pairs)
    shares.count(pairs)
    assert shares.told() == {"inserted": 0.25, "judged": 0.5, "one holds it": 0.25}


@pytest.fixture
def batch(train):
    rows = every_position(train, 10, first=True)
    history, target = left_padded(train.item, rows, int(rows.widths().max()))
    return torch.from_numpy(history), torch.from_numpy(target)


@pytest.fixture
def made(small, train):
    """A config and an untrained retriever whose network drops nothing."""
    config = small(preference_weight=0.5, preference_dropout=0.0, topk=3)
    torch.manual_seed(1)
    retriever = Retriever(config, train.n_items, "cpu")
    set_dropout(retriever.network, 0.0)
    torch.nn.init.normal_(retriever.network.items.weight)
    retriever.refresh()
    return config, retriever


def chance(tasks):
    """Rates that depend on the candidates alone."""
    return [np.array([float(np.sin(7 * item)) for item in task.candidates]) for task in tasks]


@pytest.mark.parametrize("kind", ["mean", "product"])
def test_the_loss_is_cross_entropy_and_weighted_odds_in_float64(made, batch, kind):
    config, retriever = made
    config = type(config)(**{**vars(config), "set_likelihood": kind})
    history, target = batch
    loss, pairs = preference_loss(
        retriever, history, target, config, chance, torch.Generator().manual_seed(3)
    )
    assert pairs.judged.any() and pairs.inserted.any()
    with torch.no_grad():
        network = retriever.network
        states = network(history)[target > 0]
        logits = (network.queries(states) @ network.table().T).double()
    log_p, right = torch.log_softmax(logits, 1), target[target > 0] - 1
    again = draw_pairs(log_p.exp().float(), right, 3, torch.Generator().manual_seed(3))
    assert torch.equal(again.first, pairs.first) and torch.equal(again.second, pairs.second)
    shown = [
        tuple(history[row, : column + 1][history[row, : column + 1] > 0].tolist())[-2:]
        for row, column in torch.nonzero(target > 0).tolist()
    ]
    better = first_is_better(pairs, log_p, right, shown, chance)
    won, lost = (log_likelihood(log_p, chosen, kind).exp() for chosen in prefer(pairs, better))
    ratio = (won / (1 - won)) / (lost / (1 - lost))
    wanted = -log_p.gather(1, right[:, None]).mean() + 0.5 * torch.log1p(1 / ratio).mean()
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-4)


def test_padded_positions_train_nothing(made, batch):
    config, retriever = made
    history, target = batch
    _, pairs = preference_loss(
        retriever, history, target, config, chance, torch.Generator().manual_seed(3)
    )
    assert len(pairs.first) == int((target > 0).sum()) < target.numel()


def test_the_ranker_stands_still_and_gets_no_gradient(made, small, items, train, make_run):
    config, retriever = made
    ranker = Ranker(small(topk=3), items, make_run())
    weights = {name: weight.clone() for name, weight in ranker.backbone.named_parameters()}
    before = {name: weight.clone() for name, weight in retriever.network.named_parameters()}
    figures = iter(np.arange(1, 100) / 100)
    run = make_run(validate=lambda limit=None: float(next(figures)))
    train_by_preference(retriever, ranker.rank, train, config, run)
    assert all(weight.grad is None for weight in ranker.backbone.parameters())
    for name, weight in ranker.backbone.named_parameters():
        assert torch.equal(weight, weights[name]), name
    moved = [
        name
        for name, weight in retriever.network.named_parameters()
        if not torch.equal(weight, before[name])
    ]
    assert len(moved) > len(before) // 2
    shares = [values for _, values in make_run.curve if "judged" in values]
    assert shares and sum(shares[0][n] for n in ("judged", "inserted", "one holds it")) == (
        pytest.approx(1)
    )


def test_without_a_better_step_the_retriever_is_as_it_was(made, train, make_run):
    config, retriever = made
    before = {name: weight.clone() for name, weight in retriever.network.named_parameters()}
    figures = iter([0.5] + [0.1] * 50)
    run = make_run(validate=lambda limit=None: next(figures))
    train_by_preference(retriever, chance, train, config, run)
    for name, weight in retriever.network.named_parameters():
        assert torch.equal(weight, before[name]), name


def test_patience_ends_the_phase(made, train, make_run):
    config, retriever = made
    config = type(config)(
        **{**vars(config), "preference_epochs": 50, "preference_steps": 1, "preference_patience": 3}
    )
    asked = []
    run = make_run(validate=lambda limit=None: asked.append(limit) or -float(len(asked)))
    train_by_preference(retriever, chance, train, config, run)
    assert len(asked) == 4  # before the phase, and three without gain


def test_it_validates_every_so_many_steps_and_at_the_last_one(made, train, make_run):
    config, retriever = made
    config = type(config)(
        **{**vars(config), "preference_epochs": 5, "preference_steps": 2, "preference_patience": 99}
    )
    steps = []
    run = make_run(progress=lambda done, total, unit: steps.append((done, total)))
    train_by_preference(retriever, chance, train, config, run)
    last, total = steps[-1]
    assert last == total == len(steps) > 3
    asked = [step for step, values in make_run.curve if "valid ndcg@10" in values]
    assert asked == sorted({0, *range(2, last + 1, 2), last})


@pytest.mark.parametrize("name", ["lrurec", "sasrec-ce", "fmlprec"])
def test_all_dropout_of_a_network_gets_the_phase_s_rate(small, name):
    network = Retriever(small(retriever=name, retriever_dropout=0.9), 12, "cpu").network
    history = torch.arange(1, 13).repeat(2, 1)
    history = torch.nn.functional.pad(history, (network.max_history - 12, 0))
    set_dropout(network, 0.0)
    network.train()
    one, other = (network(history) for _ in range(2))
    assert torch.equal(one, other)
    set_dropout(network, 0.1)
    assert not torch.equal(network(history), one)


def test_the_rate_rises_and_falls_in_lines():
    rates = [_rise_and_fall(step, 4, 12) for step in range(13)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4] == 1.0 and rates[8] == 0.5 and rates[12] == 0.0
