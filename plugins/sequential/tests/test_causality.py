"""A position of a causal model depends on nothing that comes after it, to the last bit."""

import pytest
import torch
from mmbench_sequential import attention
from mmbench_sequential.configs import GRU4RecConfig, LRURecConfig, SASRecConfig
from mmbench_sequential.lru import LRURec
from mmbench_sequential.recurrent import GRU4Rec

WIDTH = 9


def build(name):
    torch.manual_seed(1)
    if name == "sasrec":
        return attention.SASRec(40, SASRecConfig(dim=8, inner=16, max_history=WIDTH)).eval()
    if name == "gru4rec":
        return GRU4Rec(40, GRU4RecConfig(dim=8, hidden=12, layers=2, max_history=WIDTH)).eval()
    return LRURec(40, LRURecConfig(dim=8, max_history=WIDTH)).eval()


@torch.no_grad()
def check_causality(network):
    history = torch.randint(1, 41, (5, WIDTH), generator=torch.Generator().manual_seed(2))
    for row, pads in enumerate((0, 0, 3, 6, 8)):
        history[row, :pads] = 0
    states = network(history)
    for t in range(WIDTH - 1):
        changed = history.clone()
        changed[:, t + 1] = torch.where(history[:, t + 1] > 0, history[:, t + 1] % 40 + 1, 0)
        found = network(changed)
        assert torch.equal(found[:, : t + 1], states[:, : t + 1])
        real = history[:, t + 1] > 0
        assert (found[real, t + 1] != states[real, t + 1]).any(dim=1).all()


@pytest.mark.parametrize("name", ["sasrec", "gru4rec", "lrurec"])
def test_the_next_event_leaves_earlier_states_bit_identical(name):
    network = build(name)
    assert network.causal
    check_causality(network)


def test_without_the_causal_mask_the_test_above_fails(monkeypatch):
    def everything(history):
        itself = torch.eye(history.shape[1], dtype=torch.bool)
        return (history > 0)[:, None, None, :] | itself

    monkeypatch.setattr(attention, "visible", everything)
    with pytest.raises(AssertionError):
        check_causality(build("sasrec"))


@pytest.mark.parametrize("name", ["sasrec", "gru4rec", "lrurec"])
def test_left_padding_never_changes_real_positions(name):
    network, history = build(name).double(), torch.tensor([[3, 9, 4]])
    with torch.no_grad():
        bare = network(history)
        for pads in range(1, WIDTH - 2):
            padded = network(torch.nn.functional.pad(history, (pads, 0)))
            torch.testing.assert_close(padded[:, pads:], bare, rtol=0, atol=1e-12)


def test_padding_leaves_the_recurrent_state_at_zero():
    network = build("gru4rec")
    states, _ = network.gru(network.items(torch.zeros(1, 5, dtype=torch.long)))
    assert not states.any()
