"""Pairs of candidate sets: the draw, the rule of insertion, and who is preferred."""

import numpy as np
import pytest
import torch
from mmbench_prime.sets import draw_pairs, prefer


def draw(probability, target, size=3, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return draw_pairs(
        torch.as_tensor(probability), torch.as_tensor(target), size, generator, **options
    )


@pytest.fixture
def many():
    """4,000 positions of one distribution over 8 items, the fifth of which is the target."""
    p = np.array([0.3, 0.2, 0.15, 0.12, 0.1, 0.08, 0.04, 0.01], np.float32)
    return np.tile(p, (4000, 1)), np.full(4000, 4)


def test_a_set_is_drawn_without_replacement_by_the_probabilities(many):
    p, target = many
    pairs = draw(p, target)
    for chosen in (pairs.first, pairs.second):
        rows = chosen.numpy()
        assert all(len(set(row)) == 3 for row in rows[:200].tolist())
    # the second set is as drawn: its first item falls by the probabilities
    first = np.bincount(pairs.second[:, 0].numpy(), minlength=8) / 4000
    np.testing.assert_allclose(first, p[0], atol=0.03)
    after = pairs.second[pairs.second[:, 0] == 0][:, 1].numpy()
    follows = np.bincount(after, minlength=8) / len(after)
    np.testing.assert_allclose(follows[1:], p[0, 1:] / p[0, 1:].sum(), atol=0.05)
    assert (pairs.first != pairs.second).any(dim=1).float().mean() > 0.9


def test_where_neither_holds_the_target_it_heads_the_first_set(many):
    p, target = many
    pairs = draw(p, target)
    assert 0.6 > pairs.inserted.float().mean() > 0.2
    assert (pairs.first[pairs.inserted, 0] == 4).all()
    assert not (pairs.second[pairs.inserted] == 4).any()
    assert (pairs.in_first | pairs.in_second).all()
    assert not (pairs.inserted & pairs.judged).any()
    held = (pairs.first == 4).any(dim=1)
    assert torch.equal(held, pairs.in_first)
    # what was drawn with it stays
    others = pairs.first[~pairs.inserted]
    assert torch.equal((others == 4).any(dim=1), pairs.in_first[~pairs.inserted])


def test_drawing_again_is_another_rule(many):
    p, target = many
    inserted, resampled = draw(p, target), draw(p, target, neither="resample")
    assert resampled.inserted.float().mean() < 0.01 < 0.2 < inserted.inserted.float().mean()
    assert (resampled.in_first | resampled.in_second).all()
    assert torch.equal((resampled.second == 4).any(dim=1), resampled.in_second)


def test_an_item_of_no_probability_is_drawn_when_nothing_else_is_left():
    pairs = draw(np.array([[1.0, 0.0, 0.0]], np.float32), [1], size=3)
    assert sorted(pairs.first[0].tolist()) == [0, 1, 2]
    assert pairs.judged.all()


def test_a_set_is_no_larger_than_the_catalogue():
    assert draw(np.full((2, 3), 1 / 3, np.float32), [0, 1], size=25).first.shape == (2, 3)


def test_who_holds_it_alone_is_preferred_and_where_both_do_the_ranker_says():
    pairs = draw(np.tile(np.full(8, 0.125, np.float32), (400, 1)), np.full(400, 7))
    for says in (True, False):
        won, lost = prefer(pairs, torch.full((400,), says))
        alone = pairs.in_first & ~pairs.in_second
        assert torch.equal(won[alone], pairs.first[alone])
        alone = pairs.in_second & ~pairs.in_first
        assert alone.any() and torch.equal(won[alone], pairs.second[alone])
        assert torch.equal(lost[alone], pairs.first[alone])
        both = pairs.judged
        assert both.any()
        assert torch.equal(won[both], (pairs.first if says else pairs.second)[both])


def test_no_gradient_flows_through_the_draw():
    p = torch.full((2, 6), 1 / 6, requires_grad=True)
    pairs = draw_pairs(p, torch.tensor([0, 1]), 3, torch.Generator().manual_seed(0))
    assert not pairs.first.requires_grad and p.grad is None


def test_the_draw_is_the_generator_s(many):
    p, target = many
    one, same, other = draw(p, target), draw(p, target), draw(p, target, seed=1)
    assert torch.equal(one.first, same.first) and torch.equal(one.second, same.second)
    assert not torch.equal(one.second, other.second)
