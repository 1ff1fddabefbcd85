"""The guard at the gate: what a model answered, checked, as dense float32 scores."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mmbench.products import Products, block_rows
from mmbench.views import Float32, TopK, Vectors


class AnswerError(ValueError):
    """A model's answer cannot be ranked; the message names the first bad query and what to do."""


def check_answer(answer: Any, rows: slice, n_items: int, width: int) -> Float32:
    """The answer's scores, or AnswerError.

    Args:
        answer: a numpy array of any real dtype, read-only or not, a ``TopK``, or ``Vectors`` with
            the items' vectors.
        rows: which queries of the fold were asked; products depend on these numbers in their last
            bit, see ``mmbench.products``.
        n_items: size of the catalogue.
        width: how many candidates a query was asked about; ``n_items`` for the whole catalogue.

    Returns:
        float32[b, width], or float32[b, n_items] (column ``j`` is item ``j + 1``) where a model
        was asked about candidates and rated the whole catalogue. A ``TopK`` becomes
        float32[b, n_items], -inf where it is silent. It may be the answer's own memory.
    """
    found = []
    for part, scores in Reader(n_items, width).blocks(answer, rows):
        demand_finite(scores, part)
        found.append(scores if isinstance(answer, np.ndarray) else scores.copy())
    return found[0] if len(found) == 1 else np.concatenate(found)


class Reader:
    """Takes answers apart into blocks of dense scores; what they fill is used again and again.

    A ``TopK`` or ``Vectors`` is unfolded some rows at a time, so that users x items never exists. A
    block ends where a number of a query is a multiple of ``rows``, whatever is asked together: so
    each query has its row in the buffer, as ``Products`` demands.

    Args:
        n_items: size of the catalogue.
        width: how many candidates a query is asked about; ``n_items`` for the whole catalogue.
    """

    def __init__(self, n_items: int, width: int) -> None:
        self.n_items, self.width = n_items, width
        self.rows = block_rows(n_items)
        self.buffer: Float32 = np.empty((0, n_items), dtype=np.float32)
        self.items: Float32 | None = None  # the vectors that were looked at last
        self.products: Products | None = None  # with them

    def blocks(self, answer: Any, rows: slice) -> Iterator[tuple[slice, Float32]]:
        """Blocks of the asked queries, in order, with float32[r, n], C-contiguous, each good until
        the next is asked for.

        Raises AnswerError for what is not right, but for one thing: NaN and +inf in the scores are
        left to who reads them all anyway, see ``demand_finite``.
        """
        if isinstance(answer, np.ndarray):
            yield rows, self._dense(answer, rows)
            return
        unfold: Callable[[slice, int], None]
        if isinstance(answer, TopK):
            self._check_lists(answer, rows)
            unfold = functools.partial(self._listed, answer)
        elif isinstance(answer, Vectors):
            self._check_vectors(answer, rows)
            unfold = functools.partial(self._products, answer)
        else:
            raise AnswerError(_wrong_kind(answer, "scores", rows))
        if not len(self.buffer):
            self.buffer = np.empty((self.rows, self.n_items), dtype=np.float32)
        start = rows.start
        while start < rows.stop:
            place = start % self.rows
            stop = min(start - place + self.rows, rows.stop)
            unfold(slice(start - rows.start, stop - rows.start), place)
            yield slice(start, stop), self.buffer[place : place + stop - start]
            start = stop

    def _dense(self, answer: np.ndarray, rows: slice) -> Float32:
        scores, count = _array(answer, "scores", rows), rows.stop - rows.start
        if scores.shape not in {(count, self.width), (count, self.n_items)}:
            raise AnswerError(_wrong_shape(scores.shape, rows, count, self.n_items, self.width))
        return _narrow(scores, rows)

    def _listed(self, answer: TopK, part: slice, place: int) -> None:
        items, scores = answer.items[part], answer.scores[part]
        block = self.buffer[place : place + len(items)]
        block.fill(-np.inf)
        np.put_along_axis(block, items.astype(np.int64) - 1, scores.astype(np.float32), axis=1)

    def _products(self, answer: Vectors, part: slice, place: int) -> None:
        assert self.products is not None
        self.products.fill(answer.queries[part], place, self.buffer)

    def _check_lists(self, answer: TopK, rows: slice) -> None:
        count = rows.stop - rows.start
        items = _array(answer.items, "TopK.items", rows)
        scores = _array(answer.scores, "TopK.scores", rows)
        if items.ndim != 2 or items.shape != scores.shape or len(items) != count:
            raise AnswerError(
                f"{_asked(rows)}: TopK.items has shape {items.shape} and TopK.scores "
                f"{scores.shape}; both must be ({count}, k)"
            )
        if items.dtype.kind not in "iu":
            raise AnswerError(f"{_asked(rows)}: TopK.items has dtype {items.dtype}; make it int32")
        outside = (items < 1) | (items > self.n_items)
        if outside.any():
            row, column = _first(outside)
            what = "the padding item 0" if items[row, column] == 0 else f"item {items[row, column]}"
            raise AnswerError(
                f"query {rows.start + row}: TopK holds {what}; items are 1..{self.n_items}. Fill a "
                "short row with other items of score -inf"
            )
        ordered = np.sort(items, axis=1)
        twice = ordered[:, 1:] == ordered[:, :-1]
        if twice.any():
            row, column = _first(twice)
            raise AnswerError(
                f"query {rows.start + row}: TopK holds item {ordered[row, column]} twice; keep the "
                "better score and drop the other"
            )
        demand_finite(_narrow(scores, rows), rows)

    def _check_vectors(self, answer: Vectors, rows: slice) -> None:
        count = rows.stop - rows.start
        queries = _array(answer.queries, "Vectors.queries", rows)
        items = answer.items
        if items is None or items.ndim != 2 or len(items) != self.n_items + 1:
            shape = None if items is None else items.shape
            raise AnswerError(
                f"{_asked(rows)}: the items' vectors have shape {shape}; embed_items must return "
                f"({self.n_items + 1}, d) as 'fused', row 0 for padding"
            )
        if queries.shape != (count, items.shape[1]):
            raise AnswerError(
                f"{_asked(rows)}: Vectors.queries has shape {queries.shape}, not "
                f"({count}, {items.shape[1]}): a row a query, as wide as the items' vectors"
            )
        _demand_vectors(queries, "Vectors.queries", "query", rows.start)
        if items is not self.items:
            _demand_vectors(items[1:], "embed_items", "item", 1)
            self.items, self.products = items, Products(items[1:])


def demand_finite(scores: Float32, rows: slice) -> None:
    """Raise AnswerError, with the first bad query, where float32 scores hold NaN or +inf."""
    if not scores.size:
        return
    # A row's maximum is NaN or +inf where any of its scores is: one pass, nothing kept.
    bad = ~(scores.max(axis=1) < np.inf)
    if bad.any():
        row = int(np.argmax(bad))
        column = int(np.argmax(~(scores[row] < np.inf)))
        raise AnswerError(_not_a_score(rows.start + row, column, scores[row, column]))


def _demand_vectors(vectors: np.ndarray, name: str, kind: str, first: int) -> None:
    """Raise AnswerError where a vector's number is not finite in float32."""
    with np.errstate(over="ignore"):
        bad = ~np.isfinite(vectors.astype(np.float32, copy=False))
    if bad.any():
        row, column = _first(bad)
        raise AnswerError(
            f"{name}: the vector of {kind} {first + row} holds {vectors[row, column]} in column "
            f"{column}. Vectors must be finite in float32"
        )


def _array(values: Any, name: str, rows: slice) -> np.ndarray:
    if not isinstance(values, np.ndarray):
        raise AnswerError(_wrong_kind(values, name, rows))
    if values.dtype.kind not in "biuf":
        raise AnswerError(f"{_asked(rows)}: {name} has dtype {values.dtype}; make it float32")
    return values


def _wrong_kind(values: Any, name: str, rows: slice) -> str:
    kind = type(values)
    mend = (
        "return scores.detach().cpu().numpy()"
        if kind.__module__.split(".")[0] == "torch"
        else "return a numpy array of shape (queries, items), a TopK, or Vectors"
    )
    return f"{_asked(rows)}: {name} is a {kind.__module__}.{kind.__name__}; {mend}"


def _narrow(scores: np.ndarray, rows: slice) -> Float32:
    """The scores as float32, C-contiguous, none of them made infinite by the conversion."""
    with np.errstate(over="ignore"):
        narrow: Float32 = np.ascontiguousarray(scores, dtype=np.float32)
    if narrow.dtype != scores.dtype:
        bad = np.isinf(narrow) & np.isfinite(scores)
        if bad.any():
            row, column = _first(bad)
            raise AnswerError(_not_a_score(rows.start + row, column, scores[row, column]))
    return narrow


def _not_a_score(query: int, column: int, value: Any) -> str:
    about = "too large for float32" if np.isfinite(value) else "not a score"
    return (
        f"query {query}: column {column} is {value}, {about}. Scores must be finite in float32, or "
        "-inf for an item that was not retrieved"
    )


def _wrong_shape(shape: tuple[int, ...], rows: slice, count: int, n_items: int, width: int) -> str:
    wanted = f"({count}, {width})"
    if width != n_items:
        wanted += f" for the candidates or ({count}, {n_items}) for the whole catalogue"
    hint = ""
    if shape == (count, n_items + 1):
        hint = "; drop the column of padding: scores[:, 1:]"
    elif shape and shape[0] != count:
        hint = "; one row a query, in the order asked"
    return f"{_asked(rows)}: scores have shape {shape}, not {wanted}{hint}"


def _asked(rows: slice) -> str:
    return f"queries {rows.start} to {rows.stop - 1}"


def _first(mask: np.ndarray) -> tuple[int, int]:
    row, column = np.unravel_index(int(np.argmax(mask)), mask.shape)
    return int(row), int(column)
