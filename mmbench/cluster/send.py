"""The parent of a grid on other machines: cells go out in order, come back by the shared folder.

What an executor says of a worker is a hint: a cell has ended where its record is stored. A worker
that ended without one was lost, and its cell is sent again, three times at most, after a pause that
grows and when its lease is over.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from mmbench.cluster.plan_file import (
    CellEntry,
    PlanFile,
    keep_plan,
    make_plan_file,
    replaced,
)
from mmbench.cluster.worker import LAG, demand_folder
from mmbench.grid.execute import Finished, Observer, Unstartable, due, execute, run_row
from mmbench.grid.order import Order, row_id
from mmbench.grid.plan import Planned
from mmbench.grid.runner import Circumstances
from mmbench.results.claim import WORK, forgive, seconds_left, sweep
from mmbench.results.lease import PAUSES, find_leases, read_progress
from mmbench.results.record import Record
from mmbench.results.store import read_record

TICK = 0.05  # seconds between two looks at the workers
LOOK = 1.0  # and at how far they are


@dataclass(frozen=True, slots=True)
class Ended:
    """A worker that is no more.

    ``how``: ``stored`` a record, was ``lost`` (or stopped before the end), ``refused`` the cell, or
    took the machine's memory.
    """

    key: str
    how: Literal["stored", "lost", "refused", "out-of-memory"]
    reason: str = ""


class Executor(Protocol):
    """Where cells are sent."""

    def start(self, plan: PlanFile, path: Path, results: Path) -> None:
        """Get ready for the cells of a plan, which is in a file. Raises UsageError."""

    def submit(self, cells: Sequence[CellEntry]) -> None:
        """Send cells out."""

    def poll(self) -> list[Ended]:
        """The workers that ended since the last time."""

    def cancel(self) -> None:
        """Stop all that was sent."""


def send(
    rows: Sequence[Planned],
    results: Path,
    how: Circumstances,
    observer: Observer,
    executor: Executor,
    *,
    protocol: str = "",
    overwrite: str = "failed",
) -> list[Finished]:
    """Run what is due elsewhere and return every row with its record, in the plan's order.

    Raises UsageError, OSError, and whatever interrupts it, after all that was sent is stopped.
    """
    demand_folder(results)
    sweep(results)
    todo = due(rows, overwrite, results)
    able = [row for row in todo if not row.inapplicable]
    here = execute(
        [row for row in todo if row.inapplicable], results, how, observer, overwrite="always"
    )
    finished = {row_id(one.row): one for one in here}
    if able:
        plan = make_plan_file(
            rows, results, protocol=protocol, overwrite=overwrite, limits=how.limits
        )
        for row in able:
            assert row.job is not None
            forgive(results, row.job.cell)
        executor.start(plan, keep_plan(plan, results), results)
        sender = _Sender(plan, results, how, observer, executor, Order(able))
        try:
            finished |= sender.run()
        except BaseException:
            executor.cancel()
            raise
    return [finished.get(_id(row), Finished(row, row.known, ran=False)) for row in rows]


def _id(row: Planned) -> str:
    return row_id(row) if row.job else ""


@dataclass(slots=True)
class _Sender:
    """Cells on their way.

    Attributes:
        out: those that were sent, by key.
        begun: those of them that were seen at work.
        seen: those that were at work when we looked last.
        lost: how often each was lost.
        later: when each lost one is sent again, the next one first.
        closing: those whose worker says that it stored a record, and until when that is believed.
    """

    plan: PlanFile
    results: Path
    how: Circumstances
    observer: Observer
    executor: Executor
    order: Order
    out: dict[str, Planned] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    lost: dict[str, int] = field(default_factory=dict)
    later: list[tuple[float, str]] = field(default_factory=list)
    closing: dict[str, float] = field(default_factory=dict)
    finished: dict[str, Finished] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic

    def run(self) -> dict[str, Finished]:
        """Send all, and wait for the last; by key."""
        self._submit(self.order.begin())
        looked = 0.0
        while self.out:
            for ended in self.executor.poll():
                if ended.key in self.out:
                    self._hear(ended)
            for key in list(self.closing):
                self._close(key)
            again = []
            while self.later and self.later[0][0] <= self.clock():
                again.append(heapq.heappop(self.later)[1])
            self._again([key for key in again if key in self.out])
            if self.clock() - looked >= LOOK:
                self._look()
                looked = self.clock()
            time.sleep(TICK)
        return self.finished

    def _submit(self, rows: Sequence[Planned]) -> None:
        self.out |= {row_id(row): row for row in rows}
        if rows:
            self.executor.submit([self.plan.find(row_id(row)) for row in rows])

    def _hear(self, ended: Ended) -> None:
        """A worker ended."""
        key, row = ended.key, self.out[ended.key]
        if ended.how == "stored":
            self.closing[key] = self.clock() + LAG
            self._close(key)
        elif ended.how == "refused":
            self.out.pop(key)
            self.finished[key] = Finished(replace(row, problem=ended.reason), None, ran=True)
            self._submit(self.order.ended(row))
        elif ended.how == "out-of-memory":
            self._give_up(row, Unstartable("out-of-memory", ended.reason))
        elif not self._stored(key):
            self._lose(row, ended.reason)

    def _close(self, key: str) -> None:
        """Look for a record that is said to be there; a network disk shows it late."""
        if key not in self.out or self._stored(key):
            self.closing.pop(key)
        elif self.clock() > self.closing[key]:
            self.closing.pop(key)
            self._lose(self.out[key], "its worker says it stored a record, and none is there")

    def _stored(self, key: str) -> bool:
        """Whether a cell has its record, which ends it."""
        row = self.out[key]
        assert row.job is not None
        record = read_record(self.results, row.job.cell)
        if record is None or replaced(self.plan.find(key), record):
            return False
        self._finish(row, record)
        return True

    def _finish(self, row: Planned, record: Record) -> None:
        key = row_id(row)
        if key not in self.begun:
            self.observer.cell_started(row)
        for step, values in _curves(record):
            self.observer.cell_event(row, {"event": "log", "step": step, "values": values})
        self.observer.cell_finished(row, record)
        self._leave(row, Finished(row, record, ran=True))

    def _leave(self, row: Planned, finished: Finished) -> None:
        key = row_id(row)
        self.out.pop(key)
        self.finished[key] = finished
        self._submit(self.order.ended(row))

    def _lose(self, row: Planned, reason: str) -> None:
        """Send a lost cell again after a while, or give it up."""
        key = row_id(row)
        count = self.lost[key] = self.lost.get(key, 0) + 1
        if count > len(PAUSES):
            told = f"its worker was lost {count} times, the last time: {reason}"
            self._give_up(row, Unstartable("failed", told))
            return
        why = {"event": "lost", "reason": reason, "pause": PAUSES[count - 1]}
        self.observer.cell_event(row, why)
        heapq.heappush(self.later, (self.clock() + PAUSES[count - 1], key))

    def _again(self, keys: Sequence[str]) -> None:
        """Send lost cells again, but for those whose lease is not over yet."""
        ready = []
        for key in keys:
            row = self.out[key]
            assert row.job is not None
            left = seconds_left(self.results, row.job.cell)
            if left > 0:
                heapq.heappush(self.later, (self.clock() + min(left, LOOK), key))
            else:
                ready.append(row)
        self._submit(ready)

    def _give_up(self, row: Planned, why: Unstartable) -> None:
        """Store that a cell failed, unless somebody stored its end."""
        entry = self.plan.find(row_id(row))
        record = run_row(
            *(row, self.results, self.how, self.observer, lambda one: replaced(entry, one)),
            keep_items=False,
            refused=why,
        )
        self._leave(row, Finished(row, record, ran=True))

    def _look(self) -> None:
        """See who is at work, and how far; whose lease is gone may have ended."""
        work = self.results / WORK
        listed = _listed(work) & self.out.keys()
        for key in self.seen - listed:
            if key in self.out:
                self._stored(key)
        self.seen = listed
        for key in sorted(listed):
            row, held = self.out[key], find_leases(work, key, now=0.0)
            if not held:
                continue
            if key not in self.begun:
                self.begun.add(key)
                self.observer.cell_started(row)
            if told := read_progress(work, held[-1].lease):
                self.observer.cell_event(row, {**told, "event": "progress"})


def _listed(work: Path) -> set[str]:
    """The cells that have a lease, as far as a listing tells."""
    with contextlib.suppress(FileNotFoundError):
        return {path.name.partition(".")[0] for path in work.glob("*.lease-*")}
    return set()


def _curves(record: Record) -> list[tuple[int, dict[str, float]]]:
    """What a cell logged, by step: it ran where nobody heard it."""
    points = [(step, name, value) for name, curve in record.curves.items() for step, value in curve]
    steps = itertools.groupby(sorted(points), key=lambda point: point[0])
    return [(step, {name: value for _, name, value in group}) for step, group in steps]
