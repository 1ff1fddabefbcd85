"""Run a plan: cells side by side, every end stored, Ctrl-C leaves all that is finished."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

import numpy as np

from mmbench.grid import checkpoints
from mmbench.grid.declared import read_code
from mmbench.grid.devices import make_slots
from mmbench.grid.host import Interrupted
from mmbench.grid.order import Order, row_id
from mmbench.grid.outcome import Outcome
from mmbench.grid.plan import Planned
from mmbench.grid.registry import UsageError
from mmbench.grid.runner import Circumstances, Job, refuse, run_cell
from mmbench.problems import UserError
from mmbench.results.claim import Claim, Preempted, claim, sweep
from mmbench.results.fits import fit_path, write_fit
from mmbench.results.lease import LASTS
from mmbench.results.publish import publish
from mmbench.results.record import Record, Status
from mmbench.results.store import items_path, read_record, render

AGAIN: dict[str, Callable[[str], bool]] = {
    "never": lambda state: state == "new",
    "failed": lambda state: state not in ("done", "not-applicable"),
    "always": lambda state: True,
}


def demand_overwrite(word: str) -> None:
    """Raise UsageError where it says nothing of what is run again."""
    if word not in AGAIN:
        raise UsageError(f"--overwrite is one of {', '.join(AGAIN)}, not {word}")


class Observer(Protocol):
    """Who is told how a grid goes (the progress bars, observer plugins)."""

    def cell_started(self, row: Planned) -> None:
        """A cell begins."""

    def cell_event(self, row: Planned, event: Mapping[str, Any]) -> None:
        """A message of a running cell, ``log`` or ``progress``; or ``waiting``, before it is one,
        where another grid has it.
        """

    def cell_finished(self, row: Planned, record: Record) -> None:
        """A cell ended and its record is stored."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A row of the plan with its record; ``ran`` tells whether it was run now."""

    row: Planned
    record: Record | None
    ran: bool


def due(
    rows: Sequence[Planned], overwrite: str, results: Path, *, keep_fit: bool = False
) -> list[Planned]:
    """The rows that a run would work on.

    A finished cell is among them where a due one starts from its item embeddings and they are not
    there, or where its fit shall be kept, can be, and is not; one that is not applicable, where
    that is not recorded yet.
    """
    again = AGAIN[overwrite]
    wanted: set[str] = set()
    chosen: list[Planned] = []
    for row in reversed(rows):  # a cell stands after those that it starts from
        if row.job is None:
            continue
        cell = row.job.cell
        lacking = cell.id in wanted and not items_path(results, cell).exists()
        lacking |= keep_fit and not row.kept and _lacks_fit(row.job, results)
        unrecorded = row.inapplicable and row.known is None
        if again(row.state) or unrecorded or (lacking and row.state == "done"):
            chosen.append(row)
            if row.job.upstream is not None and not row.inapplicable:
                wanted.add(row.job.upstream.cell.id)
    return chosen[::-1]


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
    todo = due(rows, overwrite, results, keep_fit=how.keep_fit)
    able = [row.job for row in todo if row.job and not row.inapplicable]
    wanted = {job.upstream.cell.id for job in able if job.upstream}
    finished: dict[int, Finished] = {}
    environments = make_slots(max(jobs, 1), how.gpus_per_cell)
    pool = ThreadPoolExecutor(len(environments))
    slots: SimpleQueue[dict[str, str]] = SimpleQueue()
    for slot in environments:
        slots.put(slot)

    def in_slot(row: Planned) -> Record:
        slot = slots.get()
        try:
            here = replace(how, environment=slot)
            return run_row(
                row,
                results,
                here,
                observer,
                lambda known: known == row.known or AGAIN[overwrite](known.status.kind),
                keep_items=row_id(row) in wanted,
            )
        finally:
            slots.put(slot)

    futures: dict[Future[Record], Planned] = {}
    order = Order(todo)
    try:
        ready, pending = order.begin(), set[Future[Record]]()
        while ready or pending:
            for row in ready:
                futures[future := pool.submit(in_slot, row)] = row
                pending.add(future)
            ready = []
            # a wait without a limit would keep Ctrl-C from the main thread
            complete, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in complete:
                row = futures[future]
                finished[id(row)] = Finished(row, future.result(), ran=True)
                ready += order.ended(row)
    except BaseException:
        how.stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown()
    return [finished.get(id(row), Finished(row, row.known, ran=False)) for row in rows]


def run_row(
    row: Planned,
    results: Path,
    how: Circumstances,
    observer: Observer,
    again: Callable[[Record], bool],
    *,
    keep_items: bool,
    lasts: float = LASTS,
    limited: bool = False,
    refused: Unstartable | None = None,
) -> Record:
    """Run a row's cell unless another worker has done it meanwhile, and store how it ended.

    Args:
        row: one with a job and a question.
        results: the folder.
        how: limits and places.
        observer: told of it.
        again: whether the cell is run though this record is stored of it.
        keep_items: another cell starts from its item embeddings.
        lasts: of the lease, see ``claim``.
        limited: as ``lasts``.
        refused: why it is not run, which is stored as its end.

    Raises Interrupted, OSError, and Outrun where another worker took the cell over.
    """
    assert row.job is not None and row.question is not None
    cell = row.job.cell
    if how.stop.is_set():
        raise Interrupted
    try:
        with claim(
            *(results, cell, how.stop, lambda: observer.cell_event(row, {"event": "waiting"})),
            lasts=lasts,
            limited=limited,
            label=f"{row.label} on {row.dataset}, seed {row.seed}",
        ) as held:
            known = read_record(results, cell)
            lacking = keep_items and not items_path(results, cell).exists()
            lacking |= how.keep_fit and _lacks_fit(row.job, results)
            if known is not None and not lacking and not again(known):
                observer.cell_finished(row, known)  # another grid did it while we waited
                return known
            observer.cell_started(row)
            try:
                outcome = _outcome(row, results, held, how, observer, keep_items, refused)
            except Preempted:
                checkpoints.keep(held.scratch)
                raise
            made = render(
                outcome.record, outcome.ranks, outcome.top, outcome.items, outcome.examples
            )
            stored = publish(results, held, made, lambda one: one == known)
            unkept = outcome.unkept or _keep(outcome, results)
    except InterruptedError:
        raise Interrupted from None
    if stored.aside is not None:
        kept = {"event": "aside", "path": str(stored.aside)}
        observer.cell_event(row, kept)
    if unkept:
        observer.cell_event(row, {"event": "unkept", "reason": unkept})
    observer.cell_finished(row, stored.record)
    return stored.record


def _lacks_fit(job: Job, results: Path) -> bool:
    """Whether a model's fit can be kept and is not there."""
    return job.declared.keeps and not fit_path(results, job.cell).exists()


def _keep(outcome: Outcome, results: Path) -> str:
    """Write a cell's fit beside its record where there is one; why not, or an empty text."""
    if outcome.fit is None:
        return ""
    cell = outcome.record.cell
    try:
        write_fit(fit_path(results, cell), cell, outcome.fit)
    except UserError as error:
        return str(error)
    return ""


def _outcome(
    row: Planned,
    results: Path,
    held: Claim,
    how: Circumstances,
    observer: Observer,
    keep_items: bool,
    refused: Unstartable | None,
) -> Outcome:
    """How a claimed cell ends."""
    assert row.job is not None and row.question is not None

    def heard(event: Mapping[str, Any]) -> None:
        held.pulse.tell(event)
        observer.cell_event(row, event)

    try:
        if refused or held.lost:
            raise refused or Unstartable("failed", held.lost)
        _refuse(row)
        features = inherit(row.job, results)
    except Unstartable as error:
        return refuse(row.job, row.question, how.isolated, error.kind, str(error))
    if checkpoints.hand_over(held.left, held.scratch):
        how = replace(how, resumed=held.lease.attempt - 1)
    return run_cell(
        row.job,
        row.question,
        held.scratch,
        how,
        heard,
        features=features,
        keep_items=keep_items,
        source=row.source,
    )


class Unstartable(Exception):
    """A cell cannot begin, as where the one that it starts from failed; ``kind`` is a status."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def _refuse(row: Planned) -> None:
    """Raise Unstartable where a model cannot be asked, or is no longer what was planned."""
    assert row.job is not None
    if row.inapplicable:
        raise Unstartable("not-applicable", row.inapplicable)
    try:
        changed = row.job.cell.code and read_code(row.job.plugin) != row.job.cell.code
    except UsageError as error:
        raise Unstartable("failed", str(error)) from error
    if changed:
        raise Unstartable(
            "failed", "its code was changed after the plan was made: give the same command again"
        )


def inherit(job: Job, results: Path) -> dict[str, np.ndarray]:
    """The item embeddings that a job starts from, by its field. Raises Unstartable."""
    named = job.declared.upstream
    if job.upstream is None or named is None:
        return {}
    record, path = read_record(results, job.upstream.cell), items_path(results, job.upstream.cell)
    if record is None or not record.done:
        status = record.status if record else Status(kind="failed", reason="it has not run")
        raise Unstartable(
            "not-applicable" if status.kind == "not-applicable" else "failed",
            f"starts from {job.upstream.label}, which is {status.kind}: {status.reason}",
        )
    try:
        return {named.field: np.load(path, allow_pickle=False)}
    except (OSError, ValueError, EOFError) as error:
        raise Unstartable(
            "failed", f"cannot read {path} ({error}): remove it and run again"
        ) from error
