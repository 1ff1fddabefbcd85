"""The difference of two rows: by hand, against scipy, against a slow oracle, and by drawing."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from mmbench.report.statistics import Interval, compare_rows, detectable


def one_seed(*users):
    return np.array([users], dtype=float)


def test_worked_by_hand():
    # users: differences 1, 0, 0, 3 of four; mean 1, deviations 0, -1, -1, 2, squares sum 6
    told = compare_rows(one_seed(2, 1, 1, 4), one_seed(1, 1, 1, 1))
    assert (told.a, told.b, told.users, told.seeds) == (2.0, 1.0, (4, 4), (1, 1))
    assert told.user_error == pytest.approx(math.sqrt(6 / 3 / 4))
    assert told.seed_error == 0.0
    assert told.df == pytest.approx(3)
    assert (told.won, told.level, told.lost) == (0.5, 0.5, 0.0)
    assert told.d_z == pytest.approx(1 / math.sqrt(2))
    assert told.noise_known == (False, False)
    # t(3) has 97.5% below 3.1824463 and 80% below 0.9784723
    reach = 3.1824463 * math.sqrt(0.5)
    assert told.absolute == Interval(1.0, pytest.approx(1 - reach), pytest.approx(1 + reach))
    assert told.detectable == pytest.approx((3.1824463 + 0.9784723) * math.sqrt(0.5))
    assert told.relative.value == pytest.approx(1.0)
    assert told.p == pytest.approx(2 * stats.t.sf(math.sqrt(2), 3))


def test_seeds_add_their_variance_worked_by_hand():
    # seed means of a: 1, 3 (variance 2, of the mean 1); of b: 0, 0, 3 (variance 3, of the mean 1)
    a = np.array([[0.0, 2.0], [2.0, 4.0]])
    b = np.array([[-1.0, 1.0], [0.0, 0.0], [3.0, 3.0]])
    told = compare_rows(a, b)
    # users: a 1, 3; b 2/3, 4/3; differences 1/3, 5/3: variance 8/9, of the mean 4/9
    assert told.user_error**2 == pytest.approx(4 / 9)
    assert told.seed_error**2 == pytest.approx(2)
    assert told.df == pytest.approx((4 / 9 + 2) ** 2 / ((4 / 9) ** 2 / 1 + 1 / 1 + 1 / 2))
    assert told.noise_known == (True, True)
    assert told.absolute.value == pytest.approx(1)


def test_a_lone_seed_is_unknown_noise_unless_it_is_known_to_be_steady():
    alone, several = one_seed(1, 2, 4), np.array([[1.0, 2, 3], [1, 2, 4]])
    assert compare_rows(alone, several).noise_known == (False, True)
    assert compare_rows(several, alone, steady=(False, True)).noise_known == (True, True)
    assert compare_rows(alone, several).seed_error == pytest.approx(
        compare_rows(several, alone).seed_error
    )


@pytest.mark.parametrize("seed", range(5))
def test_one_seed_is_scipy_s_paired_t(seed):
    rng = np.random.default_rng(seed)
    b = rng.random(40)
    a = b + rng.normal(0.05, 0.2, 40)
    told, expected = compare_rows(a[None], b[None]), stats.ttest_rel(a, b)
    interval = expected.confidence_interval()
    assert told.p == pytest.approx(expected.pvalue)
    assert told.absolute.low == pytest.approx(interval.low)
    assert told.absolute.high == pytest.approx(interval.high)


@pytest.mark.parametrize("seed", range(5))
def test_two_groups_of_users_are_scipy_s_welch(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.random(30), 2 * rng.random(50)
    told = compare_rows(a[None], b[None], paired=False)
    expected = stats.ttest_ind(a, b, equal_var=False)
    interval = expected.confidence_interval()
    assert (told.users, told.won, told.level, told.lost, told.d_z) == ((30, 50), *[None] * 4)
    assert told.df == pytest.approx(expected.df)
    assert told.p == pytest.approx(expected.pvalue)
    assert told.absolute.low == pytest.approx(interval.low)
    assert told.absolute.high == pytest.approx(interval.high)


def slow_error(a, b, factor, paired):
    """The standard error of mean(a) - factor * mean(b), and its df, by loops over plain lists."""

    def variance(values):
        centre = sum(values) / len(values)
        return sum((value - centre) ** 2 for value in values) / (len(values) - 1)

    def over_seeds(rows):
        return [sum(row[u] for row in rows) / len(rows) for u in range(len(rows[0]))]

    one, other = over_seeds(a.tolist()), over_seeds(b.tolist())
    if paired:
        mixed = [x - factor * y for x, y in zip(one, other, strict=True)]
        parts = [(variance(mixed) / len(mixed), len(mixed) - 1)]
    else:
        parts = [
            (variance(one) / len(one), len(one) - 1),
            (factor**2 * variance(other) / len(other), len(other) - 1),
        ]
    for rows, scale in ((a.tolist(), 1.0), (b.tolist(), factor**2)):
        if len(rows) > 1:
            means = [sum(row) / len(row) for row in rows]
            parts.append((scale * variance(means) / len(means), len(means) - 1))
    total = sum(part for part, _ in parts)
    return math.sqrt(total), total**2 / sum(part**2 / df for part, df in parts)


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize(("seeds_a", "seeds_b"), [(1, 1), (2, 3), (1, 4), (5, 5)])
def test_all_figures_are_those_of_a_slow_oracle(paired, seeds_a, seeds_b):
    rng = np.random.default_rng(10 * seeds_a + seeds_b)
    a = rng.random((seeds_a, 25)) + 0.5 + rng.normal(0, 0.05, (seeds_a, 1))
    b = rng.random((seeds_b, 25)) + 0.4 + rng.normal(0, 0.05, (seeds_b, 1))
    told = compare_rows(a, b, paired=paired, margin=0.3)
    error, df = slow_error(a, b, 1.0, paired)
    t = stats.t.ppf(0.975, df)
    gap = a.mean() - b.mean()
    assert told.error == pytest.approx(error)
    assert told.df == pytest.approx(df)
    assert told.absolute.low == pytest.approx(gap - t * error)
    assert told.p == pytest.approx(2 * stats.t.sf(abs(gap) / error, df))
    assert told.detectable == pytest.approx((t + stats.t.ppf(0.8, df)) * error)
    assert told.relative.value == pytest.approx(a.mean() / b.mean() - 1)
    for end in (told.relative.low, told.relative.high):  # where a - (1 + s) b is t errors from 0
        apart = a.mean() - (1 + end) * b.mean()
        assert abs(apart) == pytest.approx(t * slow_error(a, b, 1 + end, paired)[0])
    above = (a.mean() - 0.7 * b.mean()) / slow_error(a, b, 0.7, paired)[0]
    below = (1.3 * b.mean() - a.mean()) / slow_error(a, b, 1.3, paired)[0]
    assert told.equivalence_p == pytest.approx(stats.t.sf(min(above, below), df))


def test_rows_that_never_differ_leave_nothing_to_choose():
    row = np.random.default_rng(0).random((1, 20))
    told = compare_rows(row, row)
    assert told.absolute == told.relative == Interval(0.0, 0.0, 0.0)
    assert (told.p, told.level, told.d_z, told.detectable) == (1.0, 1.0, None, 0.0)
    assert told.equivalent
    few = compare_rows(row[:, :2], row[:, :2])
    assert not few.equivalent  # of what may be nothing, nobody knows what 1% is


def test_a_difference_without_any_deviation_is_sure():
    told = compare_rows(one_seed(2, 2, 2), one_seed(1, 1, 1))
    assert (told.p, told.absolute, told.equivalence_p) == (0.0, Interval(1.0, 1.0, 1.0), 1.0)


def test_nothing_relative_to_what_may_be_nothing():
    assert compare_rows(one_seed(1, 2, 3), one_seed(0, 0, 0)).relative is None
    assert compare_rows(one_seed(1, 2, 3), one_seed(-1, 2, 0)).relative is None


def test_equivalence_wants_users_enough():
    rng = np.random.default_rng(0)
    for users, equivalent in ((50, False), (50_000, True)):
        b = rng.random(users)
        told = compare_rows((b + rng.normal(0, 0.1, users))[None], b[None], margin=0.01)
        assert told.equivalent is equivalent


def test_rounding_is_no_win():
    row = np.array([[0.1, 0.7], [0.2, 0.1], [0.3, 0.2]])
    told = compare_rows(row, row[[2, 0, 1]])
    assert told.level == 1.0


@pytest.mark.parametrize(
    ("a", "b", "paired", "words"),
    [
        ((1, 1), (1, 1), True, "two users"),
        ((0, 3), (1, 3), True, "one seed"),
        ((1, 3), (1, 4), True, "pairs of 3 and 4"),
        ((3,), (1, 3), True, "shape"),
    ],
)
def test_what_has_no_variance_is_refused(a, b, paired, words):
    with pytest.raises(ValueError, match=words):
        compare_rows(np.zeros(a), np.zeros(b), paired=paired)


figures = arrays(np.float64, (2, 6), elements=st.floats(0, 1, width=16))


@given(figures, figures)
@settings(max_examples=100, deadline=None)
def test_the_other_way_round_says_the_same(a, b):
    told, other = compare_rows(a, b), compare_rows(b, a)
    assert told.p == pytest.approx(other.p, abs=1e-9)
    assert told.absolute.low == pytest.approx(-other.absolute.high, abs=1e-9)
    assert (told.won, told.lost) == (other.lost, other.won)
    assert told.absolute.low <= told.absolute.value <= told.absolute.high


def rejections(draws, seeds, *, users, seed_noise, own_noise, chance):
    """The share of draws in which two equal models are told apart at 5%.

    A user's figure is a taste for each model, noise of the user in a seed, and of the seed.
    """
    rng = np.random.default_rng(chance)
    tastes = rng.gamma(0.2, 1.0, (draws, 2, 1, users))  # most figures near 0, as of ndcg
    noise = rng.normal(0, own_noise, (draws, 2, seeds, users))
    shift = rng.normal(0, seed_noise * math.sqrt(0.2 / users), (draws, 2, seeds, 1))
    rows = tastes + noise + shift
    return np.mean([compare_rows(*pair).p < 0.05 for pair in rows])


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_one_in_twenty_equal_models_is_told_apart(seeds):
    """Over users and seeds alike; the standard error of 2,000 draws is .005."""
    found = rejections(2000, seeds, users=150, seed_noise=1.5, own_noise=0.05, chance=seeds)
    assert 0.033 < found < 0.067


def test_seeds_that_nobody_varied_are_not_seen():
    """Why a row of one seed says that its seed noise is unknown."""
    assert rejections(2000, 1, users=150, seed_noise=1.5, own_noise=0.05, chance=1) > 0.2


def test_noise_of_a_user_in_a_seed_counts_twice_which_is_safe():
    found = rejections(2000, 3, users=150, seed_noise=0.0, own_noise=1.0, chance=7)
    assert 0.002 < found < 0.05


def test_power_is_what_is_called_detectable():
    rng = np.random.default_rng(3)
    b = rng.random((2000, 1, 80))
    noise = rng.normal(0, 0.3, (2000, 1, 80))
    shift = detectable(0.3 / math.sqrt(80), 79)
    found = np.mean(
        [compare_rows(x + y + shift, x).p < 0.05 for x, y in zip(b, noise, strict=True)]
    )
    assert found == pytest.approx(0.8, abs=0.03)
