"""When two answers count as the same."""

import numpy as np
import pytest

from mmbench.check.compare import demand_identical, demand_same
from mmbench.check.rules import CheckFailed

NO = -np.inf
SCORES = np.array([[1.0, 2.0, 3.0], [NO, 5.0, 5.5], [NO, NO, NO]], np.float32)


def changed(row, column, value):
    scores = SCORES.copy()
    scores[row, column] = value
    return scores


@pytest.mark.parametrize("demand", [demand_identical, demand_same])
def test_scores_are_the_same_as_themselves(demand):
    demand(SCORES, SCORES.copy(), "never")


@pytest.mark.parametrize(
    ("row", "column", "value"), [(0, 1, 2.01), (0, 2, NO), (1, 0, 7.0), (1, 2, NO), (2, 1, 0.0)]
)
@pytest.mark.parametrize("swap", [False, True])
def test_a_difference_is_told_with_its_place(row, column, value, swap):
    sides = (SCORES, changed(row, column, value))
    for demand in (demand_identical, demand_same):
        with pytest.raises(CheckFailed, match=f"1 of 3 queries.*query {row}, column {column}"):
            demand(*(sides[::-1] if swap else sides), "here")


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        (0, 1, 2.0001),  # rounding: a share of 5e-5 of the range
        (1, 0, 5.0),  # at the edge of what is retrieved, tied with the last
    ],
)
def test_rounding_is_forgiven_where_bits_are_not_asked_for(row, column, value):
    other = changed(row, column, value)
    demand_same(SCORES, other, "here")
    with pytest.raises(CheckFailed):
        demand_identical(SCORES, other, "here")


@pytest.mark.parametrize("shift", [0.0, 1e6, -1e6])
def test_large_scores_round_in_larger_steps(shift):
    ours = (np.arange(6, dtype=np.float32).reshape(2, 3) + shift).astype(np.float32)
    demand_same(ours, np.nextafter(ours, np.float32(np.inf)), "here")
