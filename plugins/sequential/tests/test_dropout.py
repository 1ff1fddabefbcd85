"""Masks from raw bits must be dropout: the right share, the right scale, the right gradient."""

import pytest
import torch
from mmbench_sequential.dropout import Dropout


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.9])
def test_share_scale_and_mean(rate):
    torch.manual_seed(0)
    x = torch.ones(300, 1001)  # a number of elements that four does not divide
    y = Dropout(rate)(x)
    kept = y != 0
    assert abs(kept.double().mean() - (1 - rate)) < 0.004
    torch.testing.assert_close(y[kept], torch.full_like(y[kept], 1 / (1 - rate)), rtol=1e-4, atol=0)
    assert abs(kept.double().mean(0) - (1 - rate)).max() < 0.2  # no column is favoured
    lanes = kept.flatten()[: kept.numel() // 4 * 4].view(-1, 4).double()
    correlation = torch.corrcoef(lanes.T) - torch.eye(4, dtype=torch.float64)
    assert correlation.abs().max() < 0.02  # four numbers of one word are independent


def test_gradient_passes_where_the_value_passed():
    torch.manual_seed(1)
    x = torch.randn(64, 33, requires_grad=True)
    y = Dropout(0.4)(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, y.detach() / x.detach())


def test_off_means_untouched():
    x = torch.randn(5, 7)
    assert Dropout(0.5).eval()(x) is x or torch.equal(Dropout(0.5).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)


def test_torchs_stream_decides():
    x = torch.ones(40, 40)
    torch.manual_seed(2)
    first = Dropout(0.5)(x)
    torch.manual_seed(2)
    assert torch.equal(Dropout(0.5)(x), first)
    assert not torch.equal(Dropout(0.5)(x), first)


def test_masks_of_another_device_are_not_drawn_on_the_cpu():
    layer, before = Dropout(0.5), torch.get_rng_state()
    layer(torch.ones(8, device="meta"))
    assert torch.equal(torch.get_rng_state(), before)
    layer(torch.ones(8))
    assert not torch.equal(torch.get_rng_state(), before)
