"""A row's figures by how rare the target was, how long the history, and whether times were tied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmbench.protocol.metrics import per_query
from mmbench.report.aggregate import Estimate
from mmbench.report.statistics import Interval, mean_interval

if TYPE_CHECKING:
    import pyarrow as pa

METRICS = ("ndcg@10", "hit@10")
EDGES = {
    "frequency": (0, 1, 5, 10, 20, 50),
    "history_length": (1, 5, 10, 20, 50),
}


@dataclass(frozen=True, slots=True)
class Slice:
    """Figures of the queries of one kind.

    Attributes:
        by: ``frequency`` (training events of the target), ``history_length``, or ``tied`` (whether
            the target shares its time with the event before it).
        name: the range, as in ``1-4``; ``tied`` or ``untied``.
        queries: how many, in one seed.
        metrics: candidate set to metric to estimate over seeds.
        intervals: candidate set to metric to the mean with its 95% interval over users and, where
            there are several, seeds; a metric is left out where fewer than two queries are of the
            kind, or the seeds were asked other ones.
    """

    by: str
    name: str
    queries: int
    metrics: dict[str, dict[str, Estimate]]
    intervals: dict[str, dict[str, Interval]]


def make_slices(tables: Sequence[pa.Table]) -> list[Slice]:
    """The slices of a row, from its seeds' stored ranks (``read_ranks``); empty ones left out.

    The sets and the kinds of slices are those that all tables have. Raises ValueError for no table.
    """
    if not tables:
        raise ValueError("slices want the ranks of at least one seed")
    sets = [
        name.removeprefix("greater_")
        for name in tables[0].column_names
        if name.startswith("greater_") and all(name in table.column_names for table in tables)
    ]
    return [
        Slice(by, name, int(parts[0].sum()), *_figures(tables, parts, sets))
        for by, name, parts in _parts(tables)
        if all(part.any() for part in parts)
    ]


def _parts(tables: Sequence[pa.Table]) -> Iterator[tuple[str, str, list[np.ndarray]]]:
    """Each slice's kind and name, and of each seed which queries are in it, bool[q]."""
    kinds = {by: e for by, e in EDGES.items() if all(by in t.column_names for t in tables)}
    for by, edges in kinds.items():
        for low, high in zip(edges, [*edges[1:], None], strict=True):
            parts = [_within(table[by].to_numpy(), low, high) for table in tables]
            yield by, _name(low, high), parts
    if all("tied" in table.column_names for table in tables):
        tied = [table["tied"].to_numpy() for table in tables]
        if any(part.any() for part in tied):
            yield "tied", "untied", [~part for part in tied]
            yield "tied", "tied", tied


def _figures(
    tables: Sequence[pa.Table], parts: Sequence[np.ndarray], sets: Sequence[str]
) -> tuple[dict[str, dict[str, Estimate]], dict[str, dict[str, Interval]]]:
    same = all(np.array_equal(part, parts[0]) for part in parts) and parts[0].sum() > 1
    metrics: dict[str, dict[str, Estimate]] = {name: {} for name in sets}
    intervals: dict[str, dict[str, Interval]] = {name: {} for name in sets}
    for name in sets:
        ranks = [
            [table[f"{kind}_{name}"].to_numpy()[part] for kind in ("greater", "equal")]
            for table, part in zip(tables, parts, strict=True)
        ]
        for metric in METRICS:
            figures = [per_query(metric, *own) for own in ranks]
            metrics[name][metric] = Estimate.of([float(own.mean()) for own in figures])
            if same:
                intervals[name][metric] = mean_interval(np.stack(figures))
    return metrics, intervals


def _within(values: np.ndarray, low: int, high: int | None) -> np.ndarray:
    return (values >= low) & (values < high if high is not None else True)


def _name(low: int, high: int | None) -> str:
    if high is None:
        return f"{low}+"
    return str(low) if high == low + 1 else f"{low}-{high - 1}"
