"""What is stored of the cells of a plan, and what is stored of the same question by other code."""

from __future__ import annotations

import contextlib
from pathlib import Path

from mmbench.results.cell import Cell
from mmbench.results.figures import with_figures
from mmbench.results.read import load_record
from mmbench.results.record import Record, ResultError
from mmbench.results.store import read_record, record_path


class Shelf:
    """A folder of results; what is in it is read once."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.folders: dict[Path, list[Record]] = {}

    def find(self, cell: Cell) -> Record | None:
        """The cell's own record, or None. Raises ResultError for one that is a newer mmbench's."""
        return read_record(self.results, cell)

    def find_stale(self, cell: Cell) -> Record | None:
        """The last finished record of a cell that differs in its code or version alone.

        The code of the cell that it starts from counts as its own. A record whose code is not
        known, as of those of schema 1, is of other code.
        """
        wanted = _without_code(cell)
        here = record_path(self.results, cell)
        same = [
            record
            for record in self._beside(here)
            if record.done and record.cell.id != cell.id and _without_code(record.cell) == wanted
        ]
        for record in sorted(same, key=lambda one: (one.started, one.cell.id), reverse=True):
            with contextlib.suppress(ResultError):  # its ranks are gone: an earlier one may do
                return with_figures(here.with_name(f"{record.cell.id}.json"), record)
        return None

    def find_alike(self, cell: Cell) -> list[Record]:
        """The finished records of cells that differ in their code, version or seed alone."""
        wanted = _without_code(cell, seed=False)
        return [
            record
            for record in self._beside(record_path(self.results, cell))
            if record.done and _without_code(record.cell, seed=False) == wanted
        ]

    def _beside(self, path: Path) -> list[Record]:
        """All records in the folder of one; those that cannot be read are the board's to tell."""
        folder = path.parent
        if folder not in self.folders:
            found = self.folders[folder] = []
            for other in sorted(folder.glob("*.json")):
                with contextlib.suppress(OSError, ResultError):
                    found.append(load_record(other))
        return self.folders[folder]


def _without_code(cell: Cell, *, seed: bool = True) -> Cell:
    """The cell as far as it is asked for: no code, no version, in its upstream neither.

    Without ``seed``, as far as it is the same but for its seed.
    """
    upstream = cell.upstream and _without_code(cell.upstream, seed=seed)
    blank = {"id": "", "code": "", "version": "", "upstream": upstream}
    return cell.model_copy(update=blank if seed else {**blank, "seed": 0})
