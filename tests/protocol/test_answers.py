"""What is let through, and what is said of the rest."""

import sys
import types

import numpy as np
import pytest

from mmbench import TopK, Vectors
from mmbench.protocol.answers import AnswerError, Reader, check_answer

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
        (GOOD.tolist(), "return a numpy array"),
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


def vectors(queries=None, items=None):
    queries = np.arange(6).reshape(3, 2) if queries is None else queries
    items = np.arange(12).reshape(6, 2) if items is None else items
    return Vectors(np.asarray(queries, np.float32), np.asarray(items, np.float32))


def test_vectors_become_products_with_the_items_but_not_the_padding():
    got = check(vectors())
    assert got.dtype == np.float32
    assert np.array_equal(got, vectors().queries @ vectors().items[1:].T)


def test_vectors_answer_for_candidates_with_the_whole_catalogue():
    assert check(vectors(), width=2).shape == (3, 5)


def with_(array, place, value):
    array = np.asarray(array, np.float64).copy()
    array[place] = value
    return array


QUERIES, ITEMS = np.ones((3, 2)), np.ones((6, 2))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (vectors(with_(QUERIES, (1, 0), np.nan)), "vector of query 41 holds nan in column 0"),
        (vectors(with_(QUERIES, (2, 1), -np.inf)), "vector of query 42 holds -inf in column 1"),
        (vectors(items=with_(ITEMS, (4, 1), np.nan)), "vector of item 4 holds nan in column 1"),
        (Vectors(with_(QUERIES, (0, 0), 1e300), ITEMS.astype(np.float32)), "query 40 holds 1e.300"),
        (vectors(QUERIES[:2]), r"shape \(2, 2\), not \(3, 2\)"),
        (vectors(np.ones((3, 3))), r"shape \(3, 3\), not \(3, 2\)"),
        (vectors(items=ITEMS[1:]), r"must return \(6, d\) as 'fused', row 0 for padding"),
        (Vectors(QUERIES.astype(np.float32)), "items' vectors have shape None"),
        (Vectors([[1.0]], ITEMS.astype(np.float32)), "Vectors.queries is a builtins.list"),
        (vectors(np.full((3, 2), 3e38), np.full((6, 2), 3e38)), "query 40: column 0 is inf"),
    ],
)
def test_bad_vectors(answer, said):
    with pytest.raises(AnswerError, match=said):
        check(answer)


def test_the_padding_item_s_vector_is_not_looked_at():
    assert np.isfinite(check(vectors(items=with_(ITEMS, 0, np.nan)))).all()


@pytest.mark.parametrize("n_items", [5, 37, 130, 1003, 12_101])
@pytest.mark.parametrize("dim", [1, 7, 33, 64, 65, 384])
def test_equal_vectors_are_level_and_company_does_not_matter(n_items, dim):
    """With the kernels of this process; ``tests/test_products.py`` asks of all others too."""
    rng = np.random.default_rng(dim)
    items = rng.standard_normal((n_items + 1, dim)).astype(np.float32)
    twins = np.unique([1, 2, n_items // 2, n_items - 1, n_items])
    items[twins] = items[twins[0]]
    queries = rng.standard_normal((70, dim)).astype(np.float32)
    together = check_answer(Vectors(queries, items), slice(0, 70), n_items, n_items)
    assert (together[:, twins - 1] == together[:, twins[:1] - 1]).all()
    for rows in (slice(0, 1), slice(3, 5), slice(64, 70), slice(1, 66)):
        alone = check_answer(Vectors(queries[rows], items), rows, n_items, n_items)
        assert np.array_equal(alone, together[rows])


@pytest.mark.parametrize("start", [0, 64, 100, 127])
def test_a_list_does_not_mind_where_blocks_end(start):
    rng = np.random.default_rng(start)
    items = np.array([rng.permutation(9)[:4] + 1 for _ in range(90)])
    answer = top(items, rng.random((90, 4)))
    got = check_answer(answer, slice(start, start + 90), 9, 9)
    assert np.array_equal(np.take_along_axis(got, items - 1, axis=1), np.float32(answer.scores))
    assert np.isneginf(got).sum(axis=1).tolist() == [5] * 90


def test_what_is_unfolded_shares_one_buffer():
    reader = Reader(12_101, 12_101)
    rng = np.random.default_rng(0)
    answer = Vectors(
        rng.random((300, 4), dtype=np.float32), rng.random((12_102, 4), dtype=np.float32)
    )
    blocks = list(reader.blocks(answer, slice(100, 400)))
    assert [rows.start for rows, _ in blocks] == [100, 128, 192, 256, 320, 384]
    assert blocks[-1][0].stop == 400
    assert all(np.shares_memory(scores, reader.buffer) for _, scores in blocks)
    assert reader.buffer.nbytes < 4 * 2**20
