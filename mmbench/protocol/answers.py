"""The guard at the gate: what a model answered, checked, as dense float32 scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmbench.views import Float32, TopK


class AnswerError(ValueError):
    """A model's answer cannot be ranked; the message names the first bad query and what to do."""


def check_answer(answer: Any, rows: slice, n_items: int, width: int) -> Float32:
    """The answer's scores, or AnswerError.

    Args:
        answer: a numpy array of any real dtype, read-only or not, or a ``TopK``.
        rows: which queries of the fold were asked.
        n_items: size of the catalogue.
        width: how many candidates a query was asked about; ``n_items`` for the whole catalogue.

    Returns:
        float32[b, width], or float32[b, n_items] (column ``j`` is item ``j + 1``) where a model
        was asked about candidates and rated the whole catalogue. A ``TopK`` becomes
        float32[b, n_items], -inf where it is silent. It may be the answer's own memory.
    """
    count = rows.stop - rows.start
    if isinstance(answer, TopK):
        return _dense(answer, rows, count, n_items)
    scores = _array(answer, "scores", rows)
    if scores.shape not in {(count, width), (count, n_items)}:
        raise AnswerError(_wrong_shape(scores.shape, rows, count, n_items, width))
    return _finite(scores, rows)


def _dense(answer: TopK, rows: slice, count: int, n_items: int) -> Float32:
    items = _array(answer.items, "TopK.items", rows)
    scores = _array(answer.scores, "TopK.scores", rows)
    if items.ndim != 2 or items.shape != scores.shape or len(items) != count:
        raise AnswerError(
            f"{_asked(rows)}: TopK.items has shape {items.shape} and TopK.scores {scores.shape}; "
            f"both must be ({count}, k)"
        )
    if items.dtype.kind not in "iu":
        raise AnswerError(f"{_asked(rows)}: TopK.items has dtype {items.dtype}; make it int32")
    outside = (items < 1) | (items > n_items)
    if outside.any():
        row, column = _first(outside)
        what = "the padding item 0" if items[row, column] == 0 else f"item {items[row, column]}"
        raise AnswerError(
            f"query {rows.start + row}: TopK holds {what}; items are 1..{n_items}. Fill a short "
            "row with other items of score -inf"
        )
    ordered = np.sort(items, axis=1)
    twice = ordered[:, 1:] == ordered[:, :-1]
    if twice.any():
        row, column = _first(twice)
        raise AnswerError(
            f"query {rows.start + row}: TopK holds item {ordered[row, column]} twice; keep the "
            "better score and drop the other"
        )
    dense = np.full((count, n_items), -np.inf, dtype=np.float32)
    np.put_along_axis(dense, items.astype(np.int64) - 1, _finite(scores, rows), axis=1)
    return dense


def _array(values: Any, name: str, rows: slice) -> np.ndarray:
    if not isinstance(values, np.ndarray):
        kind = type(values)
        mend = (
            "answer scores.detach().cpu().numpy()"
            if kind.__module__.split(".")[0] == "torch"
            else "answer a numpy array of shape (queries, items), or a TopK"
        )
        raise AnswerError(f"{_asked(rows)}: {name} is a {kind.__module__}.{kind.__name__}; {mend}")
    if values.dtype.kind not in "biuf":
        raise AnswerError(f"{_asked(rows)}: {name} has dtype {values.dtype}; make it float32")
    return values


def _finite(scores: np.ndarray, rows: slice) -> Float32:
    """The scores as float32, none of them NaN or +inf, nor made infinite by the conversion."""
    with np.errstate(over="ignore"):
        narrow: Float32 = scores.astype(np.float32, copy=False)
    if not narrow.size:
        return narrow
    # A row's maximum is NaN or +inf where any of its scores is: one pass, nothing kept.
    top = narrow.max(axis=1)
    bad = ~(top < np.inf)
    if narrow.dtype != scores.dtype:
        bad |= (np.isneginf(narrow) & ~np.isneginf(scores)).any(axis=1)
    if not bad.any():
        return narrow
    row = int(np.argmax(bad))
    wrong = ~(narrow[row] < np.inf) | (np.isneginf(narrow[row]) & ~np.isneginf(scores[row]))
    column = int(np.argmax(wrong))
    value = scores[row, column]
    about = "too large for float32" if np.isfinite(value) else "not a score"
    raise AnswerError(
        f"query {rows.start + row}: column {column} is {value}, {about}. Scores must be finite "
        "in float32, or -inf for an item that was not retrieved"
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
