"""What trackers have in common: a cell is a run of theirs, with settings, points and an end.

A tracker names its library and brings three methods; which hook asks for which stands here alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mmbench import hookimpl

Told = Mapping[str, Any]
IDENTITY = ("label", "model", "preset", "dataset", "protocol", "seed")
FIGURES = ("metrics", "beyond", "tie_rate", "cost")  # of a result, as they are named here
NAMES = {"metrics": "", "beyond": "", "tie_rate": "tie_rate/", "cost": "cost/"}


@dataclass(frozen=True)
class End:
    """How a cell ended.

    Attributes:
        status: ``done``, ``failed``, ``timeout``, ``out-of-memory``, ``not-applicable``, or
            ``stopped`` where the run was before the cell was done.
        reason: why, where it is not done.
        figures: what it came to, as in ``{"unseen/ndcg@10": 0.1, "cost/fit_seconds": 3.0}``.
        where: device, machine and what else is recorded beside the figures, as texts.
    """

    status: str
    reason: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)


class Tracker:
    """Tells a library of cells. Cells may run side by side, so each has a run of its own."""

    library: ClassVar[str] = ""  # the module
    extra: ClassVar[str] = ""  # of this distribution, which brings it

    def __init__(self, config: Any) -> None:
        self.config = config
        self.runs: dict[str, Any] = {}

    def start(self, cell: Told) -> Any:
        """Begin a run for a cell, and answer what the other two methods are given."""
        raise NotImplementedError

    def point(self, run: Any, step: int, values: Mapping[str, float]) -> None:
        """Add a point to curves."""
        raise NotImplementedError

    def end(self, run: Any, end: End) -> None:
        """Add what the cell came to, and end its run."""
        raise NotImplementedError

    @hookimpl
    def prepare(self) -> None:
        """Raise ImportError where the library is not here."""
        try:
            importlib.import_module(self.library)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != self.library:
                raise  # it is here, and lacks something
            raise ImportError(
                f"{self.library} is not installed: pip install 'mmbench-trackers[{self.extra}]'"
            ) from error

    @hookimpl
    def cell_started(self, cell: Told) -> None:
        """Begin a run."""
        self.runs[cell["id"]] = self.start(cell)

    @hookimpl
    def cell_logged(self, cell: Told, step: int, values: Mapping[str, float]) -> None:
        """Add a point, unless the run could not be begun."""
        if cell["id"] in self.runs:
            self.point(self.runs[cell["id"]], step, values)

    @hookimpl
    def cell_finished(self, cell: Told, result: Told) -> None:
        """End the run; what another grid ran meanwhile has none here."""
        if cell["id"] in self.runs:
            self.end(self.runs.pop(cell["id"]), ending(result))

    @hookimpl
    def run_finished(self) -> None:
        """End the runs of cells that were stopped."""
        while self.runs:
            _, run = self.runs.popitem()
            self.end(run, End("stopped", "the command was stopped"))


def settings(cell: Told) -> dict[str, Any]:
    """What a cell is, in one level: ``model``, ``seed``, ``config.dim`` and so on, and its id."""
    found = {name: cell[name] for name in IDENTITY} | {"cell": cell["id"]}
    more = ("distribution", "version", "code", "limit")
    found |= {name: cell[name] for name in more if cell.get(name)}
    return found | {f"config.{name}": value for name, value in _flat(cell["config"], ".")}


def ending(result: Told) -> End:
    """How a cell ended, from its result as it was stored."""
    status, figures = result["status"], {"seconds": result["seconds"]}
    for part in FIGURES:
        for name, value in _flat(result[part], "/"):
            if isinstance(value, int | float):  # what is not known is None
                figures[NAMES[part] + name] = float(value)
    machine = result["environment"]
    where = {
        "device": result["device"],
        "gpu": machine["gpu"],
        "cpu": machine["cpu"],
        "wall": result["wall"],
        "python": machine["python"],
        "commit": machine["commit"],
        "started": result["started"],
    }
    known = {name: str(value) for name, value in where.items() if value}
    return End(status["kind"], status["reason"], figures, known)


def _flat(values: Told, mark: str) -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings, with the path to each."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}{mark}{path}", leaf) for path, leaf in _flat(value, mark))
        else:
            yield name, value
