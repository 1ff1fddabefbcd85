"""A row's figures by how rare the target was in training, and by how long the history was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmbench.protocol.metrics import per_query
from mmbench.report.aggregate import Estimate

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
        by: ``frequency`` (training events of the target) or ``history_length``.
        name: the range, as in ``1-4``.
        queries: how many, in one seed.
        metrics: candidate set to metric to estimate over seeds.
    """

    by: str
    name: str
    queries: int
    metrics: dict[str, dict[str, Estimate]]


def make_slices(tables: Sequence[pa.Table]) -> list[Slice]:
    """The slices of a row, from its seeds' stored ranks (``read_ranks``); empty ones left out.

    The sets are those that all tables have. Raises ValueError for no table.
    """
    if not tables:
        raise ValueError("slices want the ranks of at least one seed")
    sets = [
        name.removeprefix("greater_")
        for name in tables[0].column_names
        if name.startswith("greater_") and all(name in table.column_names for table in tables)
    ]
    found = []
    for by, edges in EDGES.items():
        for low, high in zip(edges, [*edges[1:], None], strict=True):
            chosen = [_within(table[by].to_numpy(), low, high) for table in tables]
            if not all(part.any() for part in chosen):
                continue
            metrics = {
                name: {
                    metric: Estimate.of(
                        [
                            _mean(table, part, name, metric)
                            for table, part in zip(tables, chosen, strict=True)
                        ]
                    )
                    for metric in METRICS
                }
                for name in sets
            }
            found.append(Slice(by, _name(low, high), int(chosen[0].sum()), metrics))
    return found


def _within(values: np.ndarray, low: int, high: int | None) -> np.ndarray:
    return (values >= low) & (values < high if high is not None else True)


def _name(low: int, high: int | None) -> str:
    if high is None:
        return f"{low}+"
    return str(low) if high == low + 1 else f"{low}-{high - 1}"


def _mean(table: pa.Table, part: np.ndarray, candidates: str, metric: str) -> float:
    greater, equal = (
        table[f"{kind}_{candidates}"].to_numpy()[part] for kind in ("greater", "equal")
    )
    return float(per_query(metric, greater, equal).mean())
