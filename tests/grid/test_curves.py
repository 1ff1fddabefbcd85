"""What is kept of ``run.log``, and what it refuses."""

import itertools
import math

import pytest

from mmbench.grid.curves import FARTHEST, NAME_LENGTH, NAMES, POINTS, CurveError, Curves


def test_points_are_kept_by_name_but_for_what_is_no_number():
    curves = Curves()
    curves.add(0, {"loss": 2.0, "valid": math.nan})
    curves.add(1, {"loss": math.inf})
    curves.add(2, {"loss": 1})
    assert curves.kept() == {"loss": [(0, 2.0), (2, 1)], "valid": []}


@pytest.mark.parametrize("count", [1, POINTS - 1, POINTS, POINTS + 1, 7 * POINTS + 3, 100_000])
def test_a_long_curve_is_thinned_evenly_and_keeps_its_ends(count):
    curves = Curves()
    for step in range(count):
        curves.add(step, {"loss": float(step)})
    steps = [step for step, _ in curves.kept()["loss"]]
    assert steps[0] == 0 and steps[-1] == count - 1
    assert min(count, POINTS // 2) <= len(steps) <= POINTS
    gaps = {after - before for before, after in itertools.pairwise(steps[:-1])}
    assert len(gaps) <= 1


def test_so_many_curves_and_no_more():
    curves = Curves()
    for name in range(NAMES):
        curves.add(0, {f"curve {name}": 1.0})
    curves.add(1, {"curve 0": 1.0})
    with pytest.raises(CurveError, match=f"with 'new' there are {NAMES + 1} curves.*same names"):
        curves.add(2, {"curve 0": 1.0, "new": 1.0})
    with pytest.raises(CurveError, match="a cell keeps"):
        Curves().add(0, {str(name): 1.0 for name in range(300_000)})


@pytest.mark.parametrize("name", ["", "x" * (NAME_LENGTH + 1), "a\nb", "\x1b[31m", "\udc80"])
def test_a_name_is_short_and_printable(name):
    with pytest.raises(CurveError, match="is no name for a curve"):
        Curves().add(0, {name: 1.0})


@pytest.mark.parametrize("step", [FARTHEST + 1, -(10**400)])
def test_a_step_is_a_count(step):
    with pytest.raises(CurveError, match="a step is a count"):
        Curves().add(step, {"loss": 1.0})
