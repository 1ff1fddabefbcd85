import pytest
import torch
from mmbench_recbole import softmax


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("chunk", [3, 256])
def test_equals_cross_entropy_with_gradients(monkeypatch, chunk, with_bias):
    monkeypatch.setattr(softmax, "CHUNK", chunk)
    torch.manual_seed(0)
    hidden = torch.randn(10, 4, dtype=torch.float64, requires_grad=True)
    table = torch.randn(17, 4, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(17, dtype=torch.float64, requires_grad=True) if with_bias else None
    target = torch.randint(0, 17, (10,))
    inputs = [hidden, table] + ([bias] if with_bias else [])

    logits = torch.nn.functional.linear(hidden, table, bias)
    expected = torch.nn.functional.cross_entropy(logits, target)
    found = softmax.softmax_loss(hidden, table, target, bias)

    torch.testing.assert_close(found, expected)
    for left, right in zip(
        torch.autograd.grad(3 * found, inputs),
        torch.autograd.grad(3 * expected, inputs),
        strict=True,
    ):
        torch.testing.assert_close(left, right)


def test_large_scores_do_not_overflow():
    hidden, table = torch.full((2, 1), 1e4), torch.tensor([[1.0], [-1.0], [0.5]])
    loss = softmax.softmax_loss(hidden, table, torch.tensor([0, 2]))
    assert float(loss) == pytest.approx(2500.0)
