"""The losses against float64 references, values and gradients."""

import itertools
import threading

import pytest
import torch
from mmbench_sequential import softmax
from mmbench_sequential.softmax import full_loss, sampled_loss


def example(dtype=torch.float64, rows=11, items=17, dim=4):
    made = torch.Generator().manual_seed(0)
    hidden = torch.randn(rows, dim, generator=made, dtype=dtype).requires_grad_()
    table = torch.randn(items, dim, generator=made, dtype=dtype).requires_grad_()
    return hidden, table, torch.randint(0, items, (rows,), generator=made)


def compare(found, expected, inputs, **tolerance):
    torch.testing.assert_close(found, expected.to(found.dtype), **tolerance)
    ours = torch.autograd.grad(3 * found, inputs)
    theirs = torch.autograd.grad(3 * expected, inputs)
    for left, right in zip(ours, theirs, strict=True):
        assert left.dtype == right.dtype
        torch.testing.assert_close(left, right, **tolerance)


@pytest.mark.parametrize("chunk", [None, 1, 4, 11, 50])
def test_full_softmax_equals_cross_entropy_whatever_the_chunk(chunk):
    hidden, table, target = example()
    expected = torch.nn.functional.cross_entropy(hidden @ table.T, target)
    compare(full_loss(hidden, table, target, chunk=chunk), expected, (hidden, table))


@pytest.mark.parametrize("lanes", [2, 3, 15])
@pytest.mark.parametrize("chunk", [None, 2])
def test_lanes_share_the_rows(lanes, chunk):
    """More lanes than rows leave some without work."""
    hidden, table, target = example()
    expected = torch.nn.functional.cross_entropy(hidden @ table.T, target)
    compare(full_loss(hidden, table, target, chunk=chunk, lanes=lanes), expected, (hidden, table))


def test_each_lane_is_a_thread_that_neither_divides_its_work_nor_records_it(monkeypatch):
    seen = []

    def watched(rows, *rest):
        answer = original(rows, *rest)
        where = threading.current_thread() is threading.main_thread()
        seen.append((len(rows), where, torch.get_num_threads(), answer[1].requires_grad))
        return answer

    original = softmax._gradients
    monkeypatch.setattr(softmax, "_gradients", watched)
    full_loss(*example(), lanes=3)
    assert sorted(seen) == [(3, False, 1, False), (4, False, 1, False), (4, False, 1, False)]


def test_the_same_number_of_lanes_rounds_alike():
    inputs = example(torch.float32, rows=300, items=500, dim=8)
    made = []
    for _ in range(5):
        loss = full_loss(*inputs, chunk=16, lanes=3)
        made.append((loss.detach(), *torch.autograd.grad(loss, inputs[:2])))
    assert all(torch.equal(a, b) for again in made for a, b in zip(again, made[0], strict=True))


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(None, {"rtol": 1e-5, "atol": 1e-6}), (torch.bfloat16, {"rtol": 2e-2, "atol": 1e-2})],
)
def test_full_softmax_of_float32_states(dtype, tolerance):
    hidden, table, target = example(torch.float32)
    expected = torch.nn.functional.cross_entropy(hidden.double() @ table.double().T, target)
    found = full_loss(hidden, table, target, dtype=dtype, chunk=4)
    assert found.dtype == torch.float32
    compare(found, expected, (hidden, table), **tolerance)


def test_large_scores_do_not_overflow():
    hidden, table = torch.full((2, 1), 1e4), torch.tensor([[1.0], [-1.0], [0.5]])
    assert float(full_loss(hidden, table, torch.tensor([0, 2]))) == pytest.approx(2500.0)


def test_sampled_softmax_against_its_formula():
    hidden, table, target = example()
    negatives = torch.tensor([3, 3, 8, int(target[0]), 16])
    terms = []
    for state, right in zip(hidden, target.tolist(), strict=True):
        mass = (state @ table[right]).exp()
        for negative in negatives.tolist():
            if negative != right:
                mass = mass + len(table) / len(negatives) * (state @ table[negative]).exp()
        terms.append(mass.log() - state @ table[right])
    expected = torch.stack(terms).mean()
    compare(sampled_loss(hidden, table, target, negatives), expected, (hidden, table))


def test_sampled_partition_function_is_unbiased():
    """Over all draws of two negatives from five items, the mean of Z is the catalogue's sum."""
    hidden, table, target = example(rows=1, items=5)
    hidden, table = hidden.detach(), table.detach()
    logits = (hidden @ table.T)[0]
    right = logits[target[0]]
    estimates = [
        (sampled_loss(hidden, table, target, torch.tensor(draw)) + right).exp()
        for draw in itertools.product(range(5), repeat=2)
    ]
    torch.testing.assert_close(torch.stack(estimates).mean(), logits.exp().sum())
