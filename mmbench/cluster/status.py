"""How a grid stands, read from its folder of results alone: from any machine, at any time."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmbench.cluster.plan_file import PLANS, CellEntry, PlanFile, planned_cell, read_plan, replaced
from mmbench.grid.estimate import total
from mmbench.results.claim import WORK
from mmbench.results.lease import PAUSES, Standing, disk_time, find_leases, read_progress
from mmbench.results.publish import kept_aside
from mmbench.results.read import load_record
from mmbench.results.record import Record, ResultError
from mmbench.results.store import record_path


@dataclass(frozen=True, slots=True)
class AtWork:
    """A cell with a lease.

    Attributes:
        cell, label, worker, started: as in the lease.
        attempt, attempts: the how-manieth, and how many there may be.
        age: seconds since the worker's last sign of life.
        lost: why it is taken for lost; empty while it is at work.
        done, total, unit: how far it is, where it says so.
        left: about how many seconds it still takes, where that is known.
    """

    cell: str
    label: str
    worker: str
    started: str
    attempt: int
    attempts: int
    age: float
    lost: str = ""
    done: float | None = None
    total: float | None = None
    unit: str = ""
    left: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A cell that ended without figures."""

    cell: str
    label: str
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Status:
    """How a grid stands.

    Attributes:
        plan: its digest, or None where there is none.
        running: the cells with a lease, those that were lost among them.
        failures: the cells of the plan that failed, and why.
        done: how many of its cells need not run any more, those that do not apply among them.
        waiting: the labels of its cells that nobody has yet.
        aside: the results that came second and differ.
        left: about how many seconds all of it still takes.
    """

    plan: str | None
    running: tuple[AtWork, ...]
    failures: tuple[Failure, ...]
    done: int
    waiting: tuple[str, ...]
    aside: tuple[str, ...]
    left: float | None

    def to_json(self) -> dict[str, Any]:
        """As JSON-able data."""
        return asdict(self)


def newest_plan(results: Path) -> Path | None:
    """The plan that an executor wrote last, where there is one."""
    plans = [(path.stat().st_mtime, path) for path in (results / PLANS).glob("*.json")]
    return max(plans)[1] if plans else None


def examine(results: Path, plan: Path | None = None) -> Status:
    """Look at a folder of results, and at a plan's cells there; by default the newest one's.

    Raises FileNotFoundError where there is no folder, and UsageError for a plan that is none.
    """
    if not results.is_dir():
        raise FileNotFoundError(f"no folder {results}: give the folder that holds the results")
    file = plan or newest_plan(results)
    found = read_plan(file) if file is not None else None
    running = _running(results)
    ended = {} if found is None else _ended(found, results)
    busy = {one.cell for one in running}
    cells = () if found is None else found.cells
    waiting = [cell for cell in cells if cell.key not in ended and cell.key not in busy]
    failures = tuple(
        Failure(key, record.label, record.status.kind, record.status.reason)
        for key, record in ended.items()
        if record.status.kind not in ("done", "not-applicable") and key not in busy
    )
    return Status(
        plan=None if found is None else found.digest,
        running=tuple(running),
        failures=failures,
        done=sum(key not in busy for key in ended) - len(failures),
        waiting=tuple(f"{cell.label} on {cell.dataset}, seed {cell.seed}" for cell in waiting),
        aside=tuple(path.relative_to(results).as_posix() for path in kept_aside(results)),
        left=_left(running, waiting, list(ended.values())),
    )


def _running(results: Path) -> list[AtWork]:
    work = results / WORK
    cells = {path.name.partition(".")[0] for path in work.glob("*.lease-*")}
    if not cells:
        return []
    now, time = datetime.datetime.now(datetime.UTC), disk_time(work)
    held = [found[-1] for cell in sorted(cells) if (found := find_leases(work, cell, time))]
    return [_at_work(work, one, now) for one in held]


def _at_work(work: Path, standing: Standing, now: datetime.datetime) -> AtWork:
    lease, told = standing.lease, read_progress(work, standing.lease)
    over = standing.left(dead=False, limited=False) <= 0
    done, most = told.get("done"), told.get("total")
    left = None
    if done and most and lease.started:
        spent = (now - datetime.datetime.fromisoformat(lease.started)).total_seconds()
        left = max(0.0, spent * (most - done) / done)
    return AtWork(
        cell=lease.cell,
        label=lease.label,
        worker=lease.worker,
        started=lease.started,
        attempt=lease.attempt,
        attempts=len(PAUSES) + 1,
        age=round(standing.age, 1),
        lost=standing.said() if over else "",
        done=done,
        total=most,
        unit=str(told.get("unit", "")),
        left=None if left is None else round(left, 1),
    )


def _ended(plan: PlanFile, results: Path) -> dict[str, Record]:
    """The records of a plan's cells, but for those that it wants replaced."""
    found = {}
    for entry in plan.cells:
        try:
            record = load_record(record_path(results, planned_cell(plan, entry)))
        except (OSError, ResultError):
            continue
        if not replaced(entry, record):
            found[entry.key] = record
    return found


def _left(
    running: Sequence[AtWork], waiting: Sequence[CellEntry], ended: Sequence[Record]
) -> float | None:
    """About how long it still takes with as many workers as there are now."""
    spent = [record.seconds for record in ended if record.done and record.seconds]
    mean = sum(spent) / len(spent) if spent else None
    known = [mean if cell.needs.minutes is None else 60 * cell.needs.minutes for cell in waiting]
    known += [mean if one.left is None else one.left for one in running if not one.lost]
    if not known or all(one is None for one in known):
        return None
    return round(total(known, len([one for one in running if not one.lost])), 1)
