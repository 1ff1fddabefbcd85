"""Observer plugins: told of every cell, unable to change or stop one."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmbench.grid.execute import Observer
from mmbench.grid.observer_options import Options, parse_observers
from mmbench.grid.observer_process import ObserverProcess
from mmbench.grid.plan import Planned
from mmbench.results.record import Record


class Watchers:
    """The observers of a run, each in a process of its own; close them, or use ``with``."""

    def __init__(self, wanted: Mapping[str, Options], *, replay: bool = False) -> None:
        """Start them. ``replay``: tell them of stored cells as of those that run.

        Raises UsageError for one that is not to be had.
        """
        self.replay = replay
        self.running: list[ObserverProcess] = []
        try:
            for name, options in wanted.items():
                self.running.append(ObserverProcess(name, options))
        except BaseException:
            self.close()
            raise

    def tell(self, hook: str, **told: Any) -> None:
        """Hand a notice to all."""
        for one in self.running:
            one.tell(hook, told)

    def tell_again(self, record: Record) -> None:
        """Tell of a stored cell as if it ran now: its start, its curves and its end."""
        cell = _told(record, replayed=True)
        self.tell("cell_started", cell=cell)
        for step, values in _points(record.curves):
            self.tell("cell_logged", cell=cell, step=step, values=values)
        self.tell("cell_finished", cell=cell, result=record.to_json())

    def close(self) -> None:
        """Wait until they have done with what they were told, unless they hang, and end them."""
        with contextlib.ExitStack() as stack:  # all, whatever one of them raises
            for one in reversed(self.running):
                stack.callback(one.close)

    def __enter__(self) -> Watchers:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Observers:
    """Hands each notice to a first observer (the screen) and then to plugins."""

    def __init__(self, first: Observer, watchers: Watchers | Sequence[str] = ()) -> None:
        """``watchers``: texts as ``parse_observers`` reads them, or what was started of such.

        Raises UsageError for one that is not to be had.
        """
        self.first = first
        if not isinstance(watchers, Watchers):
            watchers = Watchers(parse_observers(watchers))
        self.watchers = watchers
        self.lock = threading.Lock()
        self.ended: Counter[str] = Counter()  # cells of the run, by status

    @contextlib.contextmanager
    def told_of_run(
        self, rows: Sequence[Planned], todo: Sequence[Planned], results: Path
    ) -> Iterator[None]:
        """Tell of a run's start, of the cells that were stored before it, and of its end."""
        known = {id(row) for row in todo}
        stored = [row for row in rows if id(row) not in known and row.job and row.known]
        cells = {"due": list(map(_cell, todo)), "stored": list(map(_cell, stored))}
        self.ended.clear()
        with self.watchers:
            self.watchers.tell("run_started", run={"results": str(results), **cells})
            for row in stored:
                assert row.known is not None
                if self.watchers.replay:
                    self.watchers.tell_again(row.known)
                self.watchers.tell("cell_stored", cell=_cell(row), result=row.known.to_json())
            stopped = ""
            try:
                yield
            except BaseException as error:
                stopped = type(error).__name__
                raise
            finally:
                ended = {"ended": dict(self.ended), "stopped": stopped}
                self.watchers.tell("run_finished", run={"results": str(results), **ended})

    def cell_started(self, row: Planned) -> None:
        """A cell begins."""
        self.first.cell_started(row)
        self.watchers.tell("cell_started", cell=_cell(row))

    def cell_event(self, row: Planned, event: Mapping[str, Any]) -> None:
        """A running cell logged or moved on."""
        self.first.cell_event(row, event)
        if event["event"] == "log":
            told = {"step": event["step"], "values": event["values"]}
            self.watchers.tell("cell_logged", cell=_cell(row), **told)

    def cell_finished(self, row: Planned, record: Record) -> None:
        """A cell ended."""
        self.first.cell_finished(row, record)
        with self.lock:
            self.ended[record.status.kind] += 1
        self.watchers.tell("cell_finished", cell=_cell(row), result=record.to_json())


def replay(records: Iterable[Record], results: Path, watchers: Watchers) -> int:
    """Tell of stored cells as of a run, in the order that they ran in; how many they were."""
    told = sorted(records, key=lambda record: (record.started, record.cell.id))
    cells = [_told(record, replayed=True) for record in told]
    with watchers:
        run = {"results": str(results)}
        watchers.tell("run_started", run={**run, "due": [], "stored": cells})
        for record in told:
            watchers.tell_again(record)
        watchers.tell("run_finished", run={**run, "ended": {}, "stopped": ""})
    return len(told)


class Narrator:
    """Says in a sentence when a cell begins and how it ends."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say

    def cell_started(self, row: Planned) -> None:
        """A cell begins."""
        self.say(f"running {row.label} on {row.dataset}, seed {row.seed}")

    def cell_event(self, row: Planned, event: Mapping[str, Any]) -> None:
        """A fit that cannot be kept is said; all else is too often."""
        if event["event"] == "unkept":
            self.say(f"{row.label} on {row.dataset} cannot be kept: {event['reason']}")

    def cell_finished(self, row: Planned, record: Record) -> None:
        """A cell ended."""
        told = f": {record.status.reason}" if record.status.reason else ""
        self.say(f"{row.label} on {row.dataset}, seed {row.seed}: {record.status.kind}{told}")


def _cell(row: Planned) -> Mapping[str, Any]:
    assert row.job is not None
    more = {"label": row.label, "preset": row.job.preset, "replayed": False}
    return {**row.job.cell.to_json(), **more}


def _told(record: Record, *, replayed: bool) -> Mapping[str, Any]:
    more = {"label": record.label, "preset": record.preset, "replayed": replayed}
    return {**record.cell.to_json(), **more}


def _points(
    curves: Mapping[str, Sequence[tuple[int, float]]],
) -> Iterator[tuple[int, dict[str, float]]]:
    """The points of all curves, step by step, those of one step together."""
    steps: dict[int, dict[str, float]] = {}
    for name, points in curves.items():
        for step, value in points:
            steps.setdefault(step, {})[name] = value
    yield from sorted(steps.items())
