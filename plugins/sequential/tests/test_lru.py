"""The scan, the ring and the complex maps of LRURec."""

import pytest
import torch
from mmbench_sequential import lru
from mmbench_sequential.configs import LRURecConfig

CONFIG = LRURecConfig(dim=8, max_history=32)


def network(dtype=torch.float64):
    torch.manual_seed(0)
    return lru.LRURec(30, CONFIG).to(dtype).eval()


def step_by_step(layer, x, real):
    """The recurrence one event at a time, with complex matrices, started anew after padding."""
    inward, outward = layer.inward.weight, layer.outward.weight
    inward_map = torch.complex(inward[0::2], inward[1::2])
    inward_bias = torch.complex(layer.inward.bias[0::2], layer.inward.bias[1::2])
    outward_map = torch.complex(outward[:, 0::2], -outward[:, 1::2])
    nu, theta, gamma = layer.logs.exp()
    decay = torch.exp(-nu) * torch.complex(theta.cos(), theta.sin())
    answer = torch.empty_like(x)
    for row in range(len(x)):
        state = torch.zeros_like(decay)
        for t in range(x.shape[1]):
            came = state if t and real[row, t - 1] else torch.zeros_like(state)
            state = decay * came + gamma * (inward_map @ x[row, t].to(decay.dtype) + inward_bias)
            answer[row, t] = (outward_map @ state).real + layer.outward.bias
    return answer


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
@pytest.mark.parametrize("width", [1, 7, 16])
def test_scan_equals_the_recurrence_with_any_left_padding(dtype, bound, width):
    layer = network(dtype).blocks[0].recurrence
    pads = torch.arange(14).clamp(max=width)
    x = torch.randn(14, width, 8, dtype=dtype)
    real = torch.arange(width) >= pads[:, None]
    with torch.no_grad():
        gap = layer(x, real) - step_by_step(layer, x, real)
    assert gap.abs().max() < bound


def test_scan_has_the_recurrences_gradients():
    inputs = torch.randn(2, 6, 3, dtype=torch.complex128, requires_grad=True)
    log_decay = torch.complex(-torch.rand(3).double(), torch.rand(3).double()).requires_grad_()
    assert torch.autograd.gradcheck(lru.scan, (inputs, log_decay))


def test_padding_never_changes_real_positions():
    made, history = network(), torch.tensor([[3, 9, 4, 12, 7]])
    with torch.no_grad():
        bare = made(history)
        for pads in range(1, 14):
            padded = made(torch.nn.functional.pad(history, (pads, 0)))
            torch.testing.assert_close(padded[:, pads:], bare, rtol=0, atol=1e-12)


def test_every_all_padding_position_is_the_same_prior():
    made = network()
    with torch.no_grad():
        states = made(torch.tensor([[0, 0, 0, 5]]))[0]
        alone = made(torch.tensor([[0]]))[0, 0]
    torch.testing.assert_close(states[:3], alone.expand(3, -1))
    assert not torch.allclose(states[3], alone)


def radii(made):
    return torch.cat([block.recurrence.log_decay().real.exp() for block in made.blocks])


def test_eigenvalues_start_on_the_ring():
    made = network()
    found = radii(made)
    assert found.min() > 0.8 - 1e-6
    assert found.max() < 0.99 + 1e-6
    assert found.max() - found.min() > 0.15
    logs = made.blocks[0].recurrence.logs
    expected = (1 - found[: logs.shape[1]] ** 2).sqrt()
    torch.testing.assert_close(logs[2].exp(), expected, rtol=1e-4, atol=0)
    wide = lru.ring(20_000).exp()
    squared, angles = (-2 * wide[0]).exp(), wide[1]
    assert squared.mean() == pytest.approx((0.8**2 + 0.99**2) / 2, abs=0.01)
    assert angles.min() > 0 and angles.max() <= 2 * torch.pi + 1e-5
    assert angles.mean() == pytest.approx(torch.pi, abs=0.1)


def test_without_the_ring_the_test_above_fails(monkeypatch):
    monkeypatch.setattr(lru, "ring", lambda size: 0.02 * torch.randn(3, size))
    with pytest.raises(AssertionError):
        test_eigenvalues_start_on_the_ring()


def test_weights_start_as_a_cut_normal():
    made = network(torch.float32)
    for name, weight in made.named_parameters():
        if name.endswith("logs"):
            continue
        if "norm" in name:
            assert set(weight.unique().tolist()) <= {0.0, 1.0}
        else:
            assert 0 < weight.abs().max() <= 0.04, name
    assert made.items.weight[0].any()
    assert float(made.items.weight.detach().std()) == pytest.approx(0.0176, abs=0.002)


def test_a_score_is_the_inner_product_plus_the_items_bias():
    made = network()
    states = torch.randn(4, 8, dtype=torch.float64)
    expected = states @ made.items.weight[1:].T + made.bias
    torch.testing.assert_close(made.queries(states) @ made.table().T, expected)
