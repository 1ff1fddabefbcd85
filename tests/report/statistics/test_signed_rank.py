"""Signed ranks against scipy, against all sign patterns, and against slow draws of weights."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mmbench.report.statistics.signed_rank import bayesian_signed_rank, signed_rank


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("size", [5, 6, 11, 30])
def test_without_ties_it_is_scipy_s_exact_test(seed, size):
    values = np.random.default_rng(seed).normal(0.3, 1, size)
    expected = stats.wilcoxon(values, method="exact").pvalue
    assert signed_rank(values.tolist()) == pytest.approx(expected)


def by_all_patterns(values):
    """How often a pattern of signs has a sum of positive ranks as far out, given the sizes."""
    ranks = stats.rankdata(np.abs(values))
    kept = [(rank, value) for rank, value in zip(ranks, values, strict=True) if value]
    middle = sum(rank for rank, _ in kept) / 2
    far = abs(sum(rank for rank, value in kept if value > 0) - middle)
    sums = [
        sum(rank for (rank, _), sign in zip(kept, signs, strict=True) if sign)
        for signs in itertools.product([0, 1], repeat=len(kept))
    ]
    return np.mean([abs(one - middle) >= far - 1e-9 for one in sums])


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
@settings(max_examples=150, deadline=None)
def test_with_ties_and_zeros_it_counts_all_patterns_of_signs(values):
    assert signed_rank(values) == pytest.approx(by_all_patterns(values))
    assert 0 < signed_rank(values) <= 1


def test_five_can_never_be_below_5_percent_and_six_can():
    """Why nothing is tested below six."""
    assert signed_rank([1, 2, 3, 4, 5]) == pytest.approx(2 / 32)
    assert signed_rank([1, 2, 3, 4, 5, 6]) == pytest.approx(2 / 64)


def slow_belief(values, region, draws, seed):
    """Weights from numpy's Dirichlet, pairs one by one; as in the paper's text."""
    rng = np.random.default_rng(seed)
    places = [0.0, *values]
    won = np.zeros(3)
    for weights in rng.dirichlet([0.5, *[1] * len(values)], draws):
        sums = np.zeros(3)
        for (v, p), (w, q) in itertools.product(zip(weights, places, strict=True), repeat=2):
            mean = (p + q) / 2
            sums[0 if mean < -region else 2 if mean > region else 1] += v * w
        won[sums.argmax()] += 1
    return won / draws


@pytest.mark.parametrize(
    ("values", "region"),
    [
        ([0.05, 0.02, -0.01, 0.08, 0.003, 0.04], 0.01),
        ([0.004, -0.006, 0.02, -0.03, 0.001, 0.012, -0.002], 0.01),
        ([-0.3, 0.2, -0.1, 0.25, -0.4, 0.1], 0.05),
    ],
)
def test_beliefs_are_those_of_slow_draws(values, region):
    told = bayesian_signed_rank(values, region)
    slow = slow_belief(values, region, 4000, seed=1)
    found = (told.below, told.within, told.above)
    assert sum(found) == pytest.approx(1, abs=2e-4)
    assert found == pytest.approx(slow, abs=0.025)  # three standard errors of 4,000 draws


def test_the_other_way_round_says_the_same():
    values = [0.05, 0.02, -0.01, 0.08, 0.003, 0.04]
    one = bayesian_signed_rank(values, 0.01)
    other = bayesian_signed_rank([-v for v in values], 0.01)
    assert (one.below, one.within, one.above) == (other.above, other.within, other.below)
    assert one == bayesian_signed_rank(values, 0.01)


def test_clear_cases():
    assert bayesian_signed_rank([0.5] * 8, 0.01).above > 0.99
    assert bayesian_signed_rank([0.001] * 8, 0.01).within == 1.0


@pytest.mark.parametrize("values", [[], [float("nan")], [1.0, float("inf")]])
def test_what_has_no_signs_is_refused(values):
    with pytest.raises(ValueError, match="finite"):
        signed_rank(values)
    with pytest.raises(ValueError, match="finite"):
        bayesian_signed_rank(values, 0.1)
    with pytest.raises(ValueError, match="region"):
        bayesian_signed_rank([1.0], -0.1)
