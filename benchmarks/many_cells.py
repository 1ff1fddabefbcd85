"""A grid of ten thousand cells on two hundred workers that do no work: what the parent costs.

    python benchmarks/many_cells.py

The plan is made into a file and read again, every cell is sent, ended by a worker that only writes
a record that says so, and found by the parent; then the same grid is resumed, and reported as
``mmbench status`` has it. A fifth of the cells start from another one. Nothing is fitted, and no
file is flushed to the disk but the plan. A tick of the parent ends at most a cell a worker.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from cell import make_job
from data import describe_machine

from mmbench.cluster.plan_file import (
    CellEntry,
    PlanFile,
    make_plan_file,
    planned_cell,
    read_plan,
    write_plan,
)
from mmbench.cluster.send import Ended, send
from mmbench.cluster.status import examine
from mmbench.grid.plan import Planned
from mmbench.grid.registry import ModelRef
from mmbench.grid.runner import Circumstances
from mmbench.grid.shelf import Shelf
from mmbench.results.record import Record
from mmbench.results.store import record_path, render


class Idle:
    """An executor whose workers end at once."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.waiting: deque[CellEntry] = deque()

    def start(self, plan: PlanFile, path: Path, results: Path) -> None:
        """Keep the plan."""
        self.plan, self.results = plan, results

    def submit(self, cells: Sequence[CellEntry]) -> None:
        """Take cells."""
        self.waiting.extend(cells)

    def poll(self) -> list[Ended]:
        """A cell of each worker has ended."""
        count = min(self.workers, len(self.waiting))
        return [self._end(self.waiting.popleft()) for _ in range(count)]

    def cancel(self) -> None:
        """Nothing is at work."""

    def _end(self, entry: CellEntry) -> Ended:
        cell = planned_cell(self.plan, entry)
        record = Record(cell=cell, label=entry.label, status={"kind": "not-applicable"})
        path = record_path(self.results, cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        data = render(record).files[".json"]
        assert data is not None
        path.write_bytes(data)
        return Ended(entry.key, "stored")


class Nobody:
    """Is told, and does nothing."""

    def cell_started(self, row: Planned) -> None:
        """A cell begins."""

    def cell_event(self, row: Planned, event: Mapping[str, Any]) -> None:
        """A message of a running cell."""

    def cell_finished(self, row: Planned, record: Record) -> None:
        """A cell ended."""


def make_rows(count: int) -> list[Planned]:
    """Rows that differ in their seeds; each fifth starts from the one before it."""
    job, question = make_job(60, 40, 8)
    question = replace(question, asked=(("random", question.log),))
    ref, rows = ModelRef("random-vectors"), []
    for seed in range(count):
        changed = {"id": "", "seed": seed, "upstream": None}
        first = rows[-1].job if seed % 5 == 4 else None
        if first is not None:
            changed["upstream"] = first.cell
        cell = type(job.cell).model_validate({**dict(job.cell), **changed})
        one = replace(job, cell=cell, upstream=first)
        rows.append(Planned("random", question.log.id, seed, one, question, ref=ref))
    return rows


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Print a line: the seconds inside, and the peak of memory so far."""
    wall, processor = time.perf_counter(), time.process_time()
    yield
    spent = time.perf_counter() - wall, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {name} | {spent[0]:.1f} | {spent[1]:.1f} | {peak:,.0f} |", flush=True)


def main() -> None:
    """Print a line for each step."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=200)
    given = parser.parse_args()
    print(describe_machine(f"{given.cells:,} cells, {given.workers} workers"))
    print("| step | wall, s | processor, s | peak memory, MB |\n|:--|--:|--:|--:|")
    rows = make_rows(given.cells)
    with tempfile.TemporaryDirectory() as folder:
        results, file = Path(folder, "results"), Path(folder, "plan.json")
        with timed("plan to file"):
            write_plan(make_plan_file(rows, results), file)
        with timed(f"file to plan, {file.stat().st_size / 2**20:.1f} MB"):
            read_plan(file)
        with timed("send, end and find all"):
            send(rows, results, Circumstances(), Nobody(), Idle(given.workers))
        with timed("resume: nothing to do"):
            shelf = Shelf(results)
            known = [replace(row, known=shelf.find(row.job.cell)) for row in rows if row.job]
            send(known, results, Circumstances(), Nobody(), Idle(given.workers))
        with timed("report"):
            found = examine(results)
    assert found.done == given.cells, found


if __name__ == "__main__":
    main()
