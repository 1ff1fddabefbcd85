"""Run a plan: cells side by side, every end stored, Ctrl-C leaves all that is finished."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

from mmbench.grid.environment import cuda_gpus
from mmbench.grid.host import Interrupted
from mmbench.grid.plan import Planned
from mmbench.grid.runner import Circumstances, run_cell
from mmbench.grid.store import claim, read_record, sweep, write_record

AGAIN: dict[str, Callable[[str], bool]] = {
    "never": lambda state: state == "new",
    "failed": lambda state: state != "done",
    "always": lambda state: True,
}


class Observer(Protocol):
    """Who is told how a grid goes (the progress bars, observer plugins)."""

    def cell_started(self, row: Planned) -> None:
        """A cell begins."""

    def cell_event(self, row: Planned, event: Mapping[str, Any]) -> None:
        """A message of a running cell, ``log`` or ``progress``; or ``waiting``, before it is one,
        where another grid has it.
        """

    def cell_finished(self, row: Planned, record: Mapping[str, Any]) -> None:
        """A cell ended and its record is stored."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A row of the plan with its record; ``ran`` tells whether it was run now."""

    row: Planned
    record: dict[str, Any] | None
    ran: bool


def due(rows: Sequence[Planned], overwrite: str) -> list[Planned]:
    """The rows that a run would work on."""
    again = AGAIN[overwrite]
    return [row for row in rows if row.job is not None and again(row.state)]


def execute(
    rows: Sequence[Planned],
    results: Path,
    how: Circumstances,
    observer: Observer,
    *,
    jobs: int = 1,
    overwrite: str = "failed",
) -> list[Finished]:
    """Run what is due and return every row with its record, in the plan's order.

    Whatever interrupts it (a signal's exception, a full disk) gets out after the running cells were
    stopped; finished ones are stored.
    """
    results.mkdir(parents=True, exist_ok=True)
    sweep(results)
    todo = due(rows, overwrite)
    finished: dict[int, Finished] = {}
    pool = ThreadPoolExecutor(max(jobs, 1))
    slots: SimpleQueue[int] = SimpleQueue()
    for slot in range(max(jobs, 1)):
        slots.put(slot)

    def in_slot(row: Planned) -> dict[str, Any]:
        slot = slots.get()
        try:
            here = replace(how, environment=slot_environment(slot, jobs))
            return _run(row, results, here, observer, overwrite)
        finally:
            slots.put(slot)

    futures: dict[Future[dict[str, Any]], Planned] = {}
    try:
        for row in todo:
            futures[pool.submit(in_slot, row)] = row
        pending = set(futures)
        while pending:
            # a wait without a limit would keep Ctrl-C from the main thread
            complete, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in complete:
                row = futures[future]
                finished[id(row)] = Finished(row, future.result(), ran=True)
    except BaseException:
        how.stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown()
    return [finished.get(id(row), Finished(row, row.known, ran=False)) for row in rows]


def slot_environment(slot: int, jobs: int) -> dict[str, str]:
    """One of the visible GPUs for each slot, and the cores divided among jobs."""
    if jobs == 1:
        return {}
    cores = max(1, (os.cpu_count() or 1) // jobs)
    environment = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(cores))}
    gpus = cuda_gpus()
    if len(gpus) > 1:
        environment["CUDA_VISIBLE_DEVICES"] = gpus[slot % len(gpus)].key
    return environment


def _run(
    row: Planned, results: Path, how: Circumstances, observer: Observer, overwrite: str
) -> dict[str, Any]:
    assert row.job is not None and row.question is not None
    cell = row.job.cell
    if how.stop.is_set():
        raise Interrupted
    try:
        waiting = {"event": "waiting"}
        with claim(results, cell, how.stop, lambda: observer.cell_event(row, waiting)) as scratch:
            known = read_record(results, cell)
            if known is not None and known != row.known and not AGAIN[overwrite](_kind(known)):
                observer.cell_finished(row, known)  # another grid did it while we waited
                return known
            observer.cell_started(row)
            outcome = run_cell(
                row.job,
                row.question,
                scratch,
                how,
                lambda event: observer.cell_event(row, event),
            )
            write_record(results, cell, outcome.record, outcome.ranks, outcome.top)
    except InterruptedError:
        raise Interrupted from None
    observer.cell_finished(row, outcome.record)
    return outcome.record


def _kind(record: Mapping[str, Any]) -> str:
    return str(record["status"]["kind"])
