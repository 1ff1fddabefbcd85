"""jsonl: a line of JSON for each notice."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmbench import hookimpl
from mmbench_trackers.tracker import IDENTITY, Told, ending, settings


@dataclass(frozen=True)
class JsonlConfig:
    """Where lines go.

    Attributes:
        path: the file; lines are added at its end.
        points: whether each point of a curve is a line too.
    """

    path: str = "mmbench.jsonl"
    points: bool = True


class Jsonl:
    """Writes a line of JSON for each notice, to a file that other tools can follow.

    Each line has ``time`` and ``event``, and those of cells what the cell is.
    """

    Config = JsonlConfig

    def __init__(self, config: JsonlConfig) -> None:
        self.config = config

    @hookimpl
    def prepare(self) -> None:
        """Raise OSError where the file cannot be written to."""
        path = Path(self.config.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()

    @hookimpl
    def run_started(self, run: Told) -> None:
        """Write where results go, and how many cells there are."""
        counts = {name: len(run[name]) for name in ("due", "stored")}
        self._write("run started", results=run["results"], **counts)

    @hookimpl
    def cell_stored(self, cell: Told, result: Told) -> None:
        """Write what a cell came to that was stored before the run."""
        self._write("cell stored", **_name(cell), **asdict(ending(result)))

    @hookimpl
    def cell_started(self, cell: Told) -> None:
        """Write all that a cell is."""
        self._write("cell started", **settings(cell), replayed=cell["replayed"])

    @hookimpl
    def cell_logged(self, cell: Told, step: int, values: Mapping[str, float]) -> None:
        """Write a point."""
        if self.config.points:
            self._write("cell logged", **_name(cell), step=step, values=dict(values))

    @hookimpl
    def cell_finished(self, cell: Told, result: Told) -> None:
        """Write what a cell came to."""
        told = {**_name(cell), **asdict(ending(result))}
        self._write("cell finished", **told, replayed=cell["replayed"])

    @hookimpl
    def run_finished(self, run: Told) -> None:
        """Write how many cells ended in which way, and what stopped the run, if anything did."""
        self._write("run finished", **run)

    def _write(self, event: str, **told: Any) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "event": event, **told})
        with open(self.config.path, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def _name(cell: Told) -> dict[str, Any]:
    """What tells a cell from others."""
    return {name: cell[name] for name in IDENTITY} | {"cell": cell["id"]}
