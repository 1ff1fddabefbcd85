"""Observer plugins: told of every cell, unable to change or stop one."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pluggy

from mmbench.grid.execute import Observer
from mmbench.grid.plan import Planned
from mmbench.grid.registry import UsageError, find_plugin
from mmbench.hooks import check_hooks, open_manager
from mmbench.hookspecs import OBSERVER_GROUP, ObserverHooks
from mmbench.results.record import Record

logger = logging.getLogger("mmbench.grid")


class Observers:
    """Hands each notice to a first observer (the screen) and then to plugins."""

    def __init__(self, first: Observer, names: Sequence[str] = ()) -> None:
        """Load the named observer plugins. Raises UsageError for one that is not to be had."""
        self.first = first
        # a manager each: where one throws, the others still hear
        self.managers = {name: open_observer(name) for name in names}
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
        self._tell("run_started", run={"results": str(results), **cells})
        for row in stored:
            assert row.known is not None
            self._tell("cell_stored", cell=_cell(row), result=row.known.to_json())
        stopped = ""
        try:
            yield
        except BaseException as error:
            stopped = type(error).__name__
            raise
        finally:
            ended = {"ended": dict(self.ended), "stopped": stopped}
            self._tell("run_finished", run={"results": str(results), **ended})

    def cell_started(self, row: Planned) -> None:
        """A cell begins."""
        self.first.cell_started(row)
        self._tell("cell_started", cell=_cell(row))

    def cell_event(self, row: Planned, event: Mapping[str, Any]) -> None:
        """A running cell logged or moved on."""
        self.first.cell_event(row, event)
        if event["event"] == "log":
            self._tell("cell_logged", cell=_cell(row), step=event["step"], values=event["values"])

    def cell_finished(self, row: Planned, record: Record) -> None:
        """A cell ended."""
        self.first.cell_finished(row, record)
        self.ended[record.status.kind] += 1
        self._tell("cell_finished", cell=_cell(row), result=record.to_json())

    def _tell(self, hook: str, **notice: Any) -> None:
        for name, manager in self.managers.items():
            try:
                getattr(manager.hook, hook)(**read_only(notice))  # a copy for each
            except (Exception, SystemExit) as error:  # noqa: BLE001  whatever it raises, cells go on
                kind = type(error).__name__
                logger.warning("observer %s failed in %s: %s: %s", name, hook, kind, error)


class Narrator:
    """Says in a sentence when a cell begins and how it ends."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say

    def cell_started(self, row: Planned) -> None:
        """A cell begins."""
        self.say(f"running {row.label} on {row.dataset}, seed {row.seed}")

    def cell_event(self, row: Planned, event: Mapping[str, Any]) -> None:
        """Too often to be said."""

    def cell_finished(self, row: Planned, record: Record) -> None:
        """A cell ended."""
        told = f": {record.status.reason}" if record.status.reason else ""
        self.say(f"{row.label} on {row.dataset}, seed {row.seed}: {record.status.kind}{told}")


class ReadOnly(dict[str, Any]):
    """A dict that nobody writes into; ``copy`` and ``deepcopy`` of it are plain ones."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("an observer is told and changes nothing: copy this before you write to it")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


def read_only(value: Any) -> Any:
    """A deep copy of JSON-able data: its dicts refuse to be written to, its lists are tuples."""
    if isinstance(value, Mapping):
        return ReadOnly({name: read_only(part) for name, part in value.items()})
    if isinstance(value, list | tuple):
        return tuple(map(read_only, value))
    return value


def demand_observers(names: Sequence[str]) -> None:
    """Raise UsageError for a name that no observer has; none is imported."""
    for name in names:
        find_plugin(name, OBSERVER_GROUP)


def open_observer(name: str) -> pluggy.PluginManager:
    """A manager that holds the named observer. Raises UsageError for one that is not to be had."""
    plugin = find_plugin(name, OBSERVER_GROUP)
    try:
        found = plugin.load()
        check_hooks(found, ObserverHooks, plugin.value)
        return open_manager(found, ObserverHooks, name)
    except Exception as error:  # an observer's code may raise anything
        raise UsageError(
            f"observer {name!r} of {plugin.distribution} {plugin.version} cannot be used: "
            f"{type(error).__name__}: {error}"
        ) from error


def _cell(row: Planned) -> Mapping[str, Any]:
    assert row.job is not None
    return {**row.job.cell.to_json(), "label": row.label, "preset": row.job.preset}
