"""Rows, and what each user got, as tables for pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mmbench.data.tables import as_frame
from mmbench.protocol.metrics import per_query
from mmbench.report.aggregate import Board, Row
from mmbench.results.ranks import EQUAL, GREATER, ranked_sets

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

KEPT = ("user", "frequency", "history_length", "tied")


def user_figures(table: pa.Table, metrics: Sequence[str]) -> pd.DataFrame:
    """A line for each query of a table of ranks: who was asked, and ``<set> <metric>``.

    Figures are expected ones over a random order of tied items. Raises ValueError for an unknown
    metric.
    """
    frame = as_frame(table.select([name for name in KEPT if name in table.column_names]))
    for name in ranked_sets(table):
        counts = [table[kind + name].to_numpy() for kind in (GREATER, EQUAL)]
        for metric in metrics:
            frame[f"{name} {metric}"] = per_query(metric, *counts)
    return frame


def row_line(board: Board, row: Row) -> dict[str, Any]:
    """A line of a table of rows: whose it is, figures and costs; see ``Results.table``."""
    line: dict[str, Any] = {
        "dataset": board.dataset,
        "protocol": board.protocol,
        "model": row.name,
        "seeds": len(row.done),
        "failed": len(row.failed),
    }
    for name, figures in row.metrics.items():
        for metric, estimate in figures.items():
            line[f"{name} {metric}"] = estimate.mean
            line[f"{name} {metric} sd"] = float("nan") if estimate.sd is None else estimate.sd
    return line | row.cost
