"""Rows over datasets: what few allow, what is missing, and whom a result depends on."""

import math

import pytest

from mmbench.report.statistics import Interval
from mmbench.report.statistics.datasets import over_datasets
from mmbench.report.statistics.holm import holm
from mmbench.report.statistics.signed_rank import bayesian_signed_rank, signed_rank


def told(*values):
    """A figure on each dataset, named by their order; None is missing."""
    return {
        f"d{number}": Interval(value, value - 0.01, value + 0.01)
        for number, value in enumerate(values)
        if value is not None
    }


def by_row(found):
    return {row.row: row for row in found}


def test_five_datasets_are_not_tested():
    found = by_row(over_datasets({"a": told(*[0.2] * 5), "pop": told(*[0.1] * 5)}, "pop"))
    assert (found["a"].p, found["a"].belief, found["a"].differs) == (None, None, False)
    assert found["a"].log_ratio == pytest.approx(math.log(2))
    assert found["pop"].log_ratio is None
    assert (found["a"].places, found["pop"].places) == ((1, 1), (2, 2))


def test_six_are():
    ours, bar = (0.2, 0.3, 0.25, 0.4, 0.21, 0.33), (0.1, 0.2, 0.2, 0.3, 0.2, 0.3)
    found = by_row(
        over_datasets({"a": told(*ours), "b": told(*bar[::-1]), "pop": told(*bar)}, "pop")
    )
    ratios = {
        name: [math.log(x / y) for x, y in zip(row, bar, strict=True)]
        for name, row in (("a", ours), ("b", bar[::-1]))
    }
    expected = holm([signed_rank(ratios["a"]), signed_rank(ratios["b"])])
    assert (found["a"].p, found["b"].p) == pytest.approx(expected)
    assert found["a"].belief == bayesian_signed_rank(ratios["a"], math.log(1.01))
    assert found["pop"].p is None
    assert by_row(over_datasets({"a": told(*ours), "pop": told(*bar)}, "pop"))["a"].differs


def test_what_is_missing_is_left_out_and_never_guessed():
    figures = {
        "a": told(0.2, None, 0.4, 0.1),
        "b": told(0.1, 0.5, 0.2, 0.3),
        "pop": told(0.1, 0.1, 0.1, None),
        "c": told(0.3, 0.4, 0.1, 0.1),
    }
    found = by_row(over_datasets(figures, "pop"))
    assert sorted(found["a"].figures) == ["d0", "d2", "d3"]
    assert found["a"].datasets == 2
    assert found["a"].log_ratio == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert found["a"].places is None  # a row that is missing somewhere would shift the others
    assert found["b"].places == found["c"].places == (1, 2)


def test_a_figure_of_0_has_no_ratio():
    found = by_row(over_datasets({"a": told(0.0, 0.2), "pop": told(0.1, 0.1)}, "pop"))
    assert (found["a"].datasets, found["a"].log_ratio) == (1, pytest.approx(math.log(2)))
    nothing = by_row(over_datasets({"a": told(0.0), "pop": told(0.1)}, "pop"))["a"]
    assert (nothing.datasets, nothing.log_ratio) == (0, None)


def test_a_row_s_test_does_not_depend_on_who_else_is_there():
    """As Nemenyi's would, whose mean ranks move with every row that is added."""
    bar = (0.1, 0.2, 0.2, 0.3, 0.2, 0.3)
    ours = (0.11, 0.21, 0.19, 0.33, 0.22, 0.33)
    for third in ([0.9] * 6, [0.15, 0.16, 0.2, 0.31, 0.21, 0.01]):
        rows = {"a": told(*ours), "pop": told(*bar), "other": told(*third)}
        found = by_row(over_datasets(rows, "pop"))["a"]
        assert (
            found.belief
            == by_row(over_datasets({k: rows[k] for k in ("a", "pop")}, "pop"))["a"].belief
        )
        alone = signed_rank([math.log(x / y) for x, y in zip(ours, bar, strict=True)])
        assert found.p in (pytest.approx(alone), pytest.approx(min(1, 2 * alone)))


def test_the_baseline_must_be_there():
    with pytest.raises(ValueError, match="'pop'"):
        over_datasets({"a": told(0.1)}, "pop")
