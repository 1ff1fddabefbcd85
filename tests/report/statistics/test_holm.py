"""Holm against the definition, statsmodels, and faults that others had."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from mmbench.report.statistics.holm import holm

families = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.05, 1.0])), max_size=9)


def rejected_by_definition(p, alpha):
    """The smallest is held against alpha / m, the next against alpha / (m - 1); the first that is
    not below ends it."""
    order = sorted(range(len(p)), key=lambda k: p[k])
    rejected = set()
    for step, number in enumerate(order):
        if p[number] * (len(p) - step) > alpha:
            break
        rejected.add(number)
    return rejected


@given(families, st.sampled_from([0.01, 0.05, 0.2]))
@settings(max_examples=300, deadline=None)
def test_what_is_rejected_is_what_the_steps_reject(p, alpha):
    adjusted = holm(p)
    assert {k for k, one in enumerate(adjusted) if one <= alpha} == rejected_by_definition(p, alpha)


@given(families.filter(bool))
@settings(max_examples=100, deadline=None)
def test_adjusted_values_are_those_of_statsmodels(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)


def test_it_stops_at_the_first_that_is_not_rejected():
    """A Holm without the stop rejects the last: .045 is below .05 / 1."""
    assert holm([0.001, 0.03, 0.045]) == pytest.approx((0.003, 0.06, 0.06))


def test_it_is_not_benjamini_and_hochberg_s():
    """Which bounds another error, and here, stepping up, would reject all three."""
    assert all(multipletests([0.02, 0.03, 0.04], method="fdr_bh")[0])
    assert min(holm([0.02, 0.03, 0.04])) == pytest.approx(0.06)


def test_what_is_no_chance_is_refused():
    assert holm([]) == ()
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="lie in"):
            holm([0.5, wrong])


def test_one_false_claim_in_twenty_families():
    """Of ten true hypotheses, whatever they have to do with each other."""
    rng = np.random.default_rng(0)
    alone = rng.random((4000, 10))
    found = np.mean([min(holm(row)) < 0.05 for row in alone.tolist()])
    assert 0.043 < found < 0.057
