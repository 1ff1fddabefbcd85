"""The ways to fuse: where they start, and that they differ."""

import pytest
import torch
from mmbench_mmgpt2rec.fusion import Attention, Concat, Elementwise, Weighted, make_fusion

TEXT, IMAGE, DIM = 12, 4, 16
NAMES = ("concat", "weighted", "attention", "elementwise")


def blocks(count=300, seed=0):
    made = torch.Generator().manual_seed(seed)
    return torch.randn(count, TEXT, generator=made), torch.randn(count, IMAGE, generator=made)


@pytest.mark.parametrize("name", ["concat", "weighted", "attention"])
def test_they_start_as_the_two_blocks_next_to_each_other(name, small):
    """``W_f`` is the identity and ``b`` is 0, to the last bit."""
    text, image = blocks()
    fusion = make_fusion(small(fusion=name), TEXT, IMAGE, DIM)
    assert torch.equal(fusion(text, image), torch.cat([text, image], dim=1))
    wider = make_fusion(small(fusion=name), TEXT, IMAGE, DIM + 4)
    assert torch.equal(wider(text, image)[:, :DIM], torch.cat([text, image], dim=1))
    assert not wider(text, image)[:, DIM:].any()


def test_added_blocks_keep_their_size(small):
    torch.manual_seed(0)
    fused = make_fusion(small(fusion="elementwise"), TEXT, IMAGE, 64)(*blocks())
    assert float(fused.detach().std()) == pytest.approx(1, abs=0.15)
    one = make_fusion(small(fusion="elementwise"), TEXT, 0, 64)(blocks()[0], torch.zeros(300, 0))
    assert float(one.detach().std()) == pytest.approx(1, abs=0.15)


def trained(fusion):
    """Some steps towards a product of text and picture, which no linear map of both has."""
    text, image = blocks()
    wanted = text.sum(1, keepdim=True) * image.sum(1, keepdim=True)
    steps = torch.optim.Adam(fusion.parameters(), lr=1e-2)
    for _ in range(200):
        steps.zero_grad()
        loss = (fusion(text, image).sum(1, keepdim=True) - wanted).square().mean()
        loss.backward()
        steps.step()
    return float(loss.detach())


def test_they_are_different_functions(small):
    """A sum of two linear maps cannot multiply; a gate and attention can, a little or a lot."""
    torch.manual_seed(0)
    losses = {name: trained(make_fusion(small(fusion=name), TEXT, IMAGE, DIM)) for name in NAMES}
    assert losses["concat"] == pytest.approx(losses["elementwise"], rel=0.05)
    assert losses["weighted"] < 0.95 * losses["concat"]
    assert losses["attention"] < 0.8 * losses["concat"]


def test_the_gate_is_the_stated_one():
    text, image = blocks(5)
    fusion = Weighted(TEXT, IMAGE, DIM)
    torch.nn.init.normal_(fusion.gate.weight)
    torch.nn.init.normal_(fusion.weight)
    gate = torch.sigmoid(torch.cat([text, image], 1) @ fusion.gate.weight[0] + fusion.gate.bias)
    both = torch.cat([2 * gate[:, None] * text, 2 * (1 - gate[:, None]) * image], dim=1)
    torch.testing.assert_close(fusion(text, image), both @ fusion.weight.T)


def test_attention_is_the_stated_one():
    """Against torch's own multi-head attention."""
    text, image = blocks(5)
    fusion = Attention(TEXT, IMAGE, DIM, heads=4)
    torch.nn.init.normal_(fusion.outward.weight)
    torch.nn.init.normal_(fusion.bias)
    theirs = torch.nn.MultiheadAttention(DIM, 4, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(fusion.inward.weight)
        theirs.in_proj_bias.copy_(fusion.inward.bias)
        theirs.out_proj.weight.copy_(fusion.outward.weight)
        theirs.out_proj.bias.zero_()
    told = text @ fusion.weight[:, :TEXT].T
    shown = image @ fusion.weight[:, TEXT:].T
    tokens = torch.stack([told, shown], dim=1)
    expected = told + shown + fusion.bias + theirs(tokens, tokens, tokens)[0].sum(1)
    torch.testing.assert_close(fusion(text, image), expected)


@pytest.mark.parametrize("kind", [Concat, Weighted, Elementwise])
def test_one_modality_is_enough(kind):
    text, _ = blocks(5)
    fused = kind(TEXT, 0, DIM)(text, torch.zeros(5, 0))
    assert fused.shape == (5, DIM)
    assert fused.isfinite().all()
