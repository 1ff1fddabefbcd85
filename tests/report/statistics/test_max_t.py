"""Step-down max-|t| against a loop over flips and pairs, and what must never come out."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from mmbench.report.statistics.max_t import BLOCK, _signs, max_t


def draw(models=4, users=40, seed=0, better=0.0):
    rng = np.random.default_rng(seed)
    figures = rng.random((models, users)) * (rng.random((models, users)) < 0.5)
    figures[0] = np.minimum(1, figures[0] + better)
    return figures


def every_pair(models):
    return list(itertools.combinations(range(models), 2))


def slow(figures, pairs, flips, chance):
    """Each flip by itself, each pair by scipy; then the definition of the step-down."""
    told = (figures != figures[0]).any(axis=0)  # the signs of others change nothing
    signs = np.ones((flips, figures.shape[1]))
    signs[:, told] -= 2 * np.concatenate(list(_signs(int(told.sum()), flips, chance)))

    def t(sign, pair):
        gaps = sign * (figures[pair[0]] - figures[pair[1]])
        return abs(stats.ttest_1samp(gaps, 0).statistic)

    observed = [t(np.ones(figures.shape[1]), pair) for pair in pairs]
    drawn = [[t(sign, pair) for pair in pairs] for sign in signs]
    order = sorted(range(len(pairs)), key=lambda k: -observed[k])
    adjusted, least = [0.0] * len(pairs), 0.0
    for step, number in enumerate(order):
        rest = order[step:]
        reached = sum(max(row[k] for k in rest) >= observed[number] - 1e-9 for row in drawn)
        least = max(least, (reached + 1) / (flips + 1))
        adjusted[number] = least
    return adjusted


@pytest.mark.parametrize(("seed", "better"), [(0, 0.0), (1, 0.3), (2, 0.1)])
def test_it_is_the_slow_procedure(seed, better):
    figures = draw(seed=seed, better=better)
    pairs = every_pair(4)
    found = max_t(figures, pairs, flips=300, chance=seed)
    assert found == pytest.approx(slow(figures, pairs, 300, seed), abs=1e-12)


def test_sums_that_are_level_count_as_reached():
    """Few users and few sizes, as of hits and ranks: rounded sums would not be tied."""
    sizes = [0.0, 1 / np.log2(3), 1 / np.log2(5), 1 / np.log2(7), 1.0]
    figures = np.random.default_rng(2).choice(sizes, (3, 14))
    pairs = every_pair(3)
    assert max_t(figures, pairs, 500) == pytest.approx(slow(figures, pairs, 500, 0), abs=1e-12)


def test_the_last_flips_count_where_blocks_do_not_come_out_even():
    figures, pairs = draw(3), every_pair(3)
    flips = BLOCK + 7
    assert sum(len(block) for block in _signs(40, flips, 0)) == flips
    assert max_t(figures, pairs, flips) == pytest.approx(slow(figures, pairs, flips, 0), abs=1e-12)


def test_p_is_never_0_and_alike_models_have_1():
    figures = draw(3, users=500)
    figures[0] = 0.5 + figures[1] / 4
    figures = np.vstack([figures, figures[1]])
    found = dict(zip(every_pair(4), max_t(figures, every_pair(4), flips=99), strict=True))
    assert found[0, 1] == pytest.approx(1 / 100)  # nothing drawn comes near, and it is one more
    assert found[1, 3] == 1.0
    assert min(found.values()) >= 1 / 100


def test_models_that_differ_by_a_constant():
    figures = np.stack([np.full(20, 0.75), np.full(20, 0.5)])
    assert max_t(figures, [(0, 1)], flips=999) == (pytest.approx(1 / 1000),)


def test_all_pairs_share_the_signs_so_that_it_finds_more_than_holm():
    """Pairs with one good model are nearly one question; Holm asks each anew."""
    rng = np.random.default_rng(5)
    base = 0.2 + 0.6 * rng.random(300)
    bad = np.stack([base + 0.001 * rng.normal(size=300) for _ in range(9)])
    figures = np.vstack([base + 0.05 * rng.normal(size=300) + 0.01, bad])
    pairs = [(0, other) for other in range(1, 10)]
    alone = max(max_t(figures, [pair])[0] for pair in pairs)
    together = max(max_t(figures, pairs))
    assert alone < 0.01
    assert together < 2 * alone + 0.003 < 9 * alone


def test_users_for_whom_all_models_are_level_count_as_users():
    figures = np.hstack([draw(3, users=30, better=0.2), np.full((3, 70), 0.25)])
    pairs = every_pair(3)
    assert max_t(figures, pairs, 200) == pytest.approx(slow(figures, pairs, 200, 0), abs=1e-12)


def test_few_equal_models_are_told_apart():
    """A family of six pairs of four equal models; 5% of 400 draws, within what chance allows."""
    found = 0
    for seed in range(400):
        found += min(max_t(draw(users=30, seed=seed), every_pair(4), flips=199)) <= 0.05
    assert 0.02 < found / 400 < 0.08


@pytest.mark.parametrize(
    ("figures", "words"),
    [(np.zeros((2, 1)), "two users"), (np.full((2, 3), 1.5), "lie in"), (np.zeros(3), "shape")],
)
def test_what_it_cannot_take_is_refused(figures, words):
    with pytest.raises(ValueError, match=words):
        max_t(figures, [(0, 1)])
    assert max_t(draw(), []) == ()


PROGRAM = """
import itertools, json, sys
import numpy as np
from mmbench.report.statistics import Sample, compare_family, mean_interval
from mmbench.report.statistics.max_t import max_t
from mmbench.report.statistics.signed_rank import bayesian_signed_rank
bits = np.random.PCG64(3).random_raw(6 * 3 * 3001).astype(np.float64).reshape(6, 3, 3001) * 2.0**-64
family = compare_family([Sample(row) for row in bits])
told = [[d.p, d.error, d.df, d.relative.low, d.equivalence_p] for d in family.differences]
pairs = list(itertools.combinations(range(6), 2))
few = np.array([0, .63, .43, 1])[(bits[:, 0, :23] * 4).astype(int)]
print(json.dumps([told, family.adjusted, max_t(bits.mean(axis=1), pairs, 2000), max_t(few, pairs),
    [mean_interval(row).low for row in bits],
    [bayesian_signed_rank([.1, .2, -.05, .3, .001, .04, .2], .01).within]]))
"""


def test_same_bytes_whatever_multiplies_and_with_how_many_threads():
    told = set()
    for kernel, threads in (("Haswell", "1"), ("Prescott", "1"), ("Haswell", "2")):
        names = {"OPENBLAS_CORETYPE": kernel, "OPENBLAS_NUM_THREADS": threads}
        environment = {**os.environ, **names, "OMP_NUM_THREADS": threads}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        told.add(done.stdout)
    assert len(told) == 1
