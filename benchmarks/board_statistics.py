"""How long the statistics of a whole board take: synthetic rows of Amazon Beauty's size.

    python benchmarks/board_statistics.py               # 30 rows, 3 seeds, 22,363 users, 3 sets

What is timed is what a board costs beyond reading files: ranks of every seed become users' figures,
then all pairs with Holm, letters and places, step-down max-|t| from 10,000 sign flips, slices with
intervals, and the page itself. The last row is the part that a loop over pairs and flips would take
days for. Give it one thread: ``OPENBLAS_NUM_THREADS=1``.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from mmbench.protocol.metrics import per_query
from mmbench.report import Record, gather, make_boards, make_page, to_markdown
from mmbench.report.statistics.max_t import FLIPS, max_t

SETS = {"full": 1.0, "unseen": 0.8, "neg100": 0.008}  # how far down targets are, in share


def rank_table(users: int, items: int, row: int, seed: int) -> pa.Table:
    """Ranks as a stored cell has them; half of what decides a rank is the user, as in real rows.

    About a tenth of targets come into the best ten, fewer in rows of a higher number.
    """
    taste = np.random.default_rng(0).random(users)
    rng = np.random.default_rng([1, row, seed])
    where = np.clip(0.7 * taste + 0.3 * rng.random(users) + 0.002 * row, 0, 1) ** 6
    columns: dict[str, Any] = {
        "query": np.arange(users, dtype=np.int32),
        "user": [f"user-{number}" for number in range(users)],
    }
    for name, share in SETS.items():
        columns[f"greater_{name}"] = (where * share * items).astype(np.int32)
        columns[f"equal_{name}"] = np.zeros(users, np.int32)
    fixed = np.random.default_rng(2)
    columns["frequency"] = fixed.geometric(0.05, users).astype(np.int32)
    columns["history_length"] = fixed.geometric(0.12, users).astype(np.int32)
    return pa.table(columns)


def make_record(row: int, seed: int, ranks: pa.Table) -> Record:
    """A record with just the figures that order rows."""
    metrics = {
        name: {
            metric: float(per_query(metric, *_columns(ranks, name)).mean())
            for metric in ("ndcg@10", "hit@10", "ndcg@5", "mrr")
        }
        for name in SETS
    }
    cell = {
        "model": f"model-{row:02d}",
        "distribution": "synthetic",
        "version": "1",
        "config": {},
        "dataset": "synthetic",
        "fingerprints": {"events": "0" * 16},
        "protocol": "loo@2",
        "seed": seed,
    }
    return Record.model_validate(
        {
            "cell": cell,
            "label": cell["model"],
            "status": {"kind": "done"},
            "metrics": metrics,
            "queries": len(ranks),
            "users": len(ranks),
            "wall": "process",
        }
    )


def _columns(ranks: pa.Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    return ranks[f"greater_{name}"].to_numpy(), ranks[f"equal_{name}"].to_numpy()


def timed(name: str, work: Callable[[], Any]) -> Any:
    """Do the work, and print a line with its seconds of the processor and of the clock."""
    busy, clock = time.process_time(), time.perf_counter()
    done = work()
    busy, clock = time.process_time() - busy, time.perf_counter() - clock
    print(f"| {name} | {busy:.1f} | {clock:.1f} |")
    return done


def main() -> None:
    """Print a line a step."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--users", type=int, default=22_363)
    parser.add_argument("--items", type=int, default=12_101)
    asked = parser.parse_args()
    cells = list(itertools.product(range(asked.rows), range(asked.seeds)))
    tables = {cell: rank_table(asked.users, asked.items, *cell) for cell in cells}
    records = [make_record(*cell, tables[cell]) for cell in cells]
    ranks = {r.cell.id: tables[cell] for r, cell in zip(records, cells, strict=True)}
    (board,) = make_boards(records)
    pairs = list(itertools.combinations(range(asked.rows), 2))
    print(
        f"{asked.rows} rows, {asked.seeds} seeds, {asked.users:,} users, {len(SETS)} candidate "
        f"sets, {len(pairs)} pairs\n"
    )
    print("| step | processor, s | clock, s |\n|:--|--:|--:|")

    def whole() -> str:
        return to_markdown(make_page(board, gather(board, [board], lambda r: ranks[r.cell.id])))

    timed("the whole board", whole)
    means = np.stack([_users_means(tables, row, asked.seeds) for row in range(asked.rows)])
    timed(f"of it, one set's max-t of {FLIPS:,} flips", lambda: max_t(means, pairs))


def _users_means(tables: Mapping[tuple[int, int], pa.Table], row: int, seeds: int) -> np.ndarray:
    figures = [per_query("ndcg@10", *_columns(tables[row, seed], "full")) for seed in range(seeds)]
    return np.mean(figures, axis=0)


if __name__ == "__main__":
    main()
