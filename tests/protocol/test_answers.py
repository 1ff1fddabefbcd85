"""What is let through, and what is said of the rest."""

import sys
import types

import numpy as np
import pytest

from mmbench import TopK
from mmbench.protocol.answers import AnswerError, check_answer

ROWS = slice(40, 43)
GOOD = np.arange(15, dtype=np.float32).reshape(3, 5)


def check(answer, width=5):
    return check_answer(answer, ROWS, 5, width)


def spoilt(value, dtype=np.float32):
    scores = GOOD.astype(dtype)
    scores[1, 3] = value
    return scores


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        GOOD.astype(np.float64),
        GOOD.astype(np.float16),
        GOOD.astype(np.int64),
        np.asfortranarray(GOOD),
        np.repeat(GOOD, 2, axis=1)[:, ::2],
    ],
)
def test_dense_scores_become_float32(answer):
    answer.setflags(write=False)
    got = check(answer)
    assert got.dtype == np.float32
    assert np.array_equal(got, GOOD)


def test_minus_infinity_is_an_answer():
    assert check(spoilt(-np.inf))[1, 3] == -np.inf
    assert (check(np.full((3, 5), -np.inf)) == -np.inf).all()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (spoilt(np.nan), "query 41: column 3 is nan"),
        (spoilt(np.inf), "query 41: column 3 is inf"),
        (spoilt(1e300, np.float64), r"query 41: column 3 is 1e\+300, too large for float32"),
        (spoilt(-1e300, np.float64), r"query 41: column 3 is -1e\+300, too large for float32"),
        (GOOD[:2], r"queries 40 to 42: .* \(2, 5\), not \(3, 5\); one row a query"),
        (np.zeros((3, 6)), "drop the column of padding"),
        (np.zeros(15), "one row a query"),
        (np.zeros((3, 5), dtype=complex), "dtype complex128"),
        (np.zeros((3, 5), dtype=object), "dtype object"),
        (None, "scores is a builtins.NoneType"),
        (GOOD.tolist(), "answer a numpy array"),
    ],
)
def test_bad_dense_scores(answer, said):
    with pytest.raises(AnswerError, match=said):
        check(answer)


def test_the_first_bad_query_is_named():
    scores = GOOD.copy()
    scores[2, 0] = np.nan
    scores[1, 4] = np.inf
    with pytest.raises(AnswerError, match="query 41: column 4"):
        check(scores)


def test_a_tensor_is_told_how_to_become_an_array(monkeypatch):
    torch = types.ModuleType("torch")
    tensor = type("Tensor", (), {"__module__": "torch"})
    monkeypatch.setitem(sys.modules, "torch", torch)
    with pytest.raises(AnswerError, match=r"detach\(\)\.cpu\(\)\.numpy\(\)"):
        check(tensor())


def test_candidates_may_be_rated_alone_or_with_all():
    assert check(GOOD[:, :2], width=2).shape == (3, 2)
    assert check(GOOD, width=2).shape == (3, 5)
    with pytest.raises(AnswerError, match=r"\(3, 2\) for the candidates or \(3, 5\)"):
        check(GOOD[:, :3], width=2)


def top(items, scores=None):
    items = np.array(items, dtype=np.int32)
    scores = np.ones(items.shape, np.float32) if scores is None else np.array(scores)
    return TopK(items, scores)


def test_a_list_becomes_dense():
    got = check(top([[5, 1], [2, 3], [1, 2]], [[1.0, 0.5], [-np.inf, 2], [0, 0]]))
    none = -np.inf
    assert got.tolist() == [
        [0.5, none, none, none, 1.0],
        [none, none, 2.0, none, none],
        [0.0, 0.0, none, none, none],
    ]
    assert got.dtype == np.float32


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (top([[1, 2], [0, 3], [1, 2]]), "query 41: TopK holds the padding item 0"),
        (top([[1, 2], [6, 3], [1, 2]]), r"query 41: TopK holds item 6; items are 1\.\.5"),
        (top([[1, 2], [1, 3], [2, 2]]), "query 42: TopK holds item 2 twice"),
        (top([[1, 2], [1, 3]]), r"both must be \(3, k\)"),
        (top([[1, 2]] * 3, np.ones((3, 3))), r"both must be \(3, k\)"),
        (top([[1, 2]] * 3, [[1, 1], [np.nan, 1], [1, 1]]), "query 41: column 0 is nan"),
        (TopK(np.ones((3, 1)), np.ones((3, 1))), "dtype float64; make it int32"),
        (TopK([[1]] * 3, np.ones((3, 1))), "TopK.items is a builtins.list"),
    ],
)
def test_bad_lists(answer, said):
    with pytest.raises(AnswerError, match=said):
        check(answer)


def test_an_empty_list_retrieves_nothing():
    got = check(TopK(np.empty((3, 0), np.int32), np.empty((3, 0), np.float32)))
    assert (got == -np.inf).all()
