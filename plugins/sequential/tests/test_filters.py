"""FMLP-Rec's filter against an explicit Fourier transform, and why it trains on prefixes."""

import math

import numpy as np
import pytest
import torch
from mmbench_sequential.attention import SASRec
from mmbench_sequential.configs import FMLPRecConfig, SASRecConfig
from mmbench_sequential.filters import Filter, FMLPRec
from mmbench_sequential.training import epoch_batches, training_rows


def explicit(weight, x):
    """Sum by sum: orthonormal transform, product, the inverse of the mirrored spectrum."""
    width = x.shape[1]
    t = torch.arange(width, dtype=torch.float64)
    waves = torch.exp(-2j * math.pi * t[:, None] * t / width) / math.sqrt(width)
    spectrum = torch.einsum("ft,btd->bfd", waves, x.to(waves.dtype))
    half = torch.view_as_complex(weight)
    filtered = spectrum[:, : width // 2 + 1] * half
    # A real signal's frequency 0 (and width / 2) is real: what is imaginary there has no meaning.
    filtered[:, 0] = filtered[:, 0].real.to(filtered.dtype)
    if width % 2 == 0:
        filtered[:, -1] = filtered[:, -1].real.to(filtered.dtype)
    mirrored = filtered[:, 1 : (width + 1) // 2].flip(1).conj()
    whole = torch.cat([filtered, mirrored], dim=1)
    return torch.einsum("ft,bfd->btd", waves.conj(), whole).real


@pytest.mark.parametrize("width", [1, 2, 7, 10])
def test_filter_equals_an_explicit_transform(width):
    torch.manual_seed(width)
    made = Filter(width, 3).double()
    x = torch.randn(4, width, 3, dtype=torch.float64)
    expected = explicit(made.weight.detach(), x)
    torch.testing.assert_close(made(x).detach(), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(made.last(x).detach(), expected[:, -1:], rtol=0, atol=1e-12)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return FMLPRec(30, FMLPRecConfig(dim=8, inner=16, max_history=6)).double().eval()


def all_states(network, history):
    x = network.place(network.items(history))
    for block in network.blocks:
        x = block(x)
    return x


def test_the_last_position_alone_equals_the_whole_network(network):
    history = torch.tensor([[0, 0, 3, 9, 4, 12], [1, 2, 3, 4, 5, 6]])
    found, expected = network(history), all_states(network, history)[:, -1:]
    assert found.shape == (2, 1, 8)
    torch.testing.assert_close(found, expected)
    weights = list(network.parameters())
    for left, right in zip(
        torch.autograd.grad(found.pow(3).sum(), weights),
        torch.autograd.grad(expected.pow(3).sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(left, right)


def test_training_all_positions_would_leak_the_next_event(network):
    """Each position's state depends on its own target, in FMLP-Rec and not in SASRec."""
    torch.manual_seed(0)
    causal = SASRec(30, SASRecConfig(dim=8, inner=16, max_history=6)).double().eval()
    history = torch.tensor([[3, 9, 4, 12, 7, 8]])
    for states, leaks in ((lambda h: all_states(network, h), True), (causal, False)):
        for position in range(5):
            changed = history.clone()
            changed[0, position + 1] = 20  # this position's target, were all positions trained
            same = torch.equal(states(history)[0, position], states(changed)[0, position])
            assert same is not leaks


def test_fmlprec_trains_on_prefixes_only(network, interactions_of):
    sequences = [[1, 2, 3, 4], [5, 6], [7], [8, 9, 10, 11, 12, 13, 14, 15, 16]]
    train = interactions_of(sequences, n_items=30)
    rows = training_rows(network, train)
    assert not network.causal and len(rows) == 3 + 1 + 0 + 8
    config = FMLPRecConfig(dim=8, max_history=6, batch_size=4)
    seen = []
    rng = np.random.default_rng(0)
    for history, target in epoch_batches(network, train, rows, config, rng, "cpu"):
        assert history.shape[1] == 6  # the filter belongs to one width: nothing is trimmed
        assert not target[:, :-1].any() and target[:, -1].all()
        seen += [
            ([i for i in h if i], t)
            for h, t in zip(history.tolist(), target[:, -1].tolist(), strict=True)
        ]
    expected = [(s[max(0, k - 6) : k], s[k]) for s in sequences for k in range(1, len(s))]
    assert sorted(seen) == sorted(expected)
