"""Cross entropy over the catalogue: all of it in chunks, or a sample of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch
from torch.autograd.function import once_differentiable

CPU_LOGITS = 2**21  # at most, in one chunk: 8 MB, which a processor's cache can hold
GPU_LOGITS = 2**28
FEWEST_ROWS = 32  # in a chunk: with less, a matrix product is slow


@cache
def _workers(lanes: int) -> ThreadPoolExecutor:
    """Threads that do not divide their own work, or lanes would fight for the same cores."""
    return ThreadPoolExecutor(lanes, "softmax", initializer=torch.set_num_threads, initargs=(1,))


@torch.no_grad()  # which a thread does not inherit
def _gradients(
    hidden: torch.Tensor, table: torch.Tensor, target: torch.Tensor, dtype: torch.dtype, chunk: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The summed loss of some rows, its gradient by them and by the table.

    It goes chunk by chunk, so that logits are written and read once.

    Args:
        hidden: dtype[p, d].
        table: dtype[n, d].
        target: int64[p].
        dtype: of the sums and of what is answered.
        chunk: rows at a time.
    """
    to_hidden, to_table = (
        torch.empty_like(hidden, dtype=dtype),
        torch.zeros_like(table, dtype=dtype),
    )
    total = to_table.new_zeros(())
    narrow = hidden.new_empty(min(chunk, len(hidden)), len(table))
    same = dtype == hidden.dtype
    wide = narrow if same else torch.empty_like(narrow, dtype=dtype)
    for start in range(0, len(hidden), chunk):
        part = slice(start, start + chunk)
        rows, right = hidden[part], target[part, None]
        logits = torch.mm(rows, table.T, out=narrow[: len(rows)])
        scores = logits if same else wide[: len(rows)].copy_(logits)
        scores -= scores.amax(dim=1, keepdim=True)
        total -= scores.gather(1, right).sum()
        mass = scores.exp_().sum(dim=1, keepdim=True)
        total += mass.log().sum()
        scores.div_(mass).scatter_add_(1, right, -torch.ones_like(mass))
        slope = scores if same else logits.copy_(scores)
        to_hidden[part] = slope @ table
        if same:
            to_table.addmm_(slope.T, rows)
        else:
            to_table += slope.T @ rows
    return total, to_hidden, to_table


class _CatalogueSoftmax(torch.autograd.Function):
    """Makes the gradients beside the loss, in lanes of rows that threads work off side by side."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        table: torch.Tensor,
        target: torch.Tensor,
        dtype: torch.dtype,
        chunk: int,
        lanes: int,
    ) -> torch.Tensor:
        rows, items = hidden.to(dtype), table.to(dtype)

        def lane(rows: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return _gradients(rows, items, target, hidden.dtype, chunk)

        side_by_side: Callable[..., Iterable[Any]] = map if lanes == 1 else _workers(lanes).map
        done = side_by_side(lane, rows.tensor_split(lanes), target.tensor_split(lanes))
        totals, parts, tables = zip(*done, strict=True)
        to_hidden, to_table = torch.cat(parts), sum(tables)
        ctx.save_for_backward(to_hidden.div_(len(hidden)), to_table.div_(len(hidden)))
        mean: torch.Tensor = sum(totals) / len(hidden)
        return mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        to_hidden, to_table = ctx.saved_tensors
        return grads[0] * to_hidden, grads[0] * to_table, None, None, None, None


def full_loss(
    hidden: torch.Tensor,
    table: torch.Tensor,
    target: torch.Tensor,
    *,
    dtype: torch.dtype | None = None,
    chunk: int | None = None,
    lanes: int = 1,
) -> torch.Tensor:
    """``cross_entropy(hidden @ table.T, target)``, the mean over rows.

    Args:
        hidden: float[p, d].
        table: float[n, d], of the same dtype.
        target: int64[p], rows of ``table``.
        dtype: of the matrix products, such as bfloat16; ``hidden``'s where it is not given. Sums,
            exponentials and the returned gradients are of ``hidden``'s.
        chunk: rows of ``hidden`` that are rated at a time; it changes memory, not the loss.
        lanes: threads that share the rows. Each has a chunk and a gradient of the table of its own;
            sums of another number of lanes round otherwise.
    """
    if chunk is None:
        most = GPU_LOGITS if hidden.is_cuda else CPU_LOGITS
        chunk = max(most // len(table), FEWEST_ROWS)
    loss: torch.Tensor = _CatalogueSoftmax.apply(  # type: ignore[no-untyped-call]
        hidden, table, target, dtype or hidden.dtype, chunk, lanes
    )
    return loss


def sampled_loss(
    hidden: torch.Tensor, table: torch.Tensor, target: torch.Tensor, negatives: torch.Tensor
) -> torch.Tensor:
    """Softmax over the target and a uniform sample of items, the mean over rows.

    With ``m`` negatives drawn from ``n`` items with replacement, each logit of a negative gets
    ``-log(m / n)`` (the logQ correction of Bengio and Senecal, 2008, for uniform draws), and a draw
    that hits the row's own target does not count. So ``exp(-loss)`` of a row is
    ``e^s_target / Z``, where ``Z`` is an unbiased estimate of the whole catalogue's sum.

    Args:
        hidden: float[p, d].
        table: float[n, d].
        target: int64[p], rows of ``table``.
        negatives: int64[m], rows of ``table``, the same for all rows of ``hidden``.
    """
    right = (hidden * table[target]).sum(dim=1, keepdim=True)
    others = hidden @ table[negatives].T + math.log(len(table) / len(negatives))
    others = others.masked_fill(negatives == target[:, None], -torch.inf)
    return (torch.cat([right, others], dim=1).logsumexp(dim=1) - right[:, 0]).mean()
