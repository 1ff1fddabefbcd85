"""Stored results in, checked records out; a file that cannot be read is listed, never a crash."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.results.cell import Cell
from mmbench.results.examples import Example, read_examples
from mmbench.results.figures import with_figures
from mmbench.results.ranks import read_ranks, read_top
from mmbench.results.record import Record, ResultError, Status, parse

if TYPE_CHECKING:
    import pyarrow as pa

CONTRIBUTED = "contributed"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """A file that was left out: its path inside the folder, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path} {self.reason}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a folder holds.

    Attributes:
        records: at most one a cell, ordered by the cell's id.
        problems: the files that were left out, or whose cells have no figures for it, by path.
        paths: where each record is, by the cell's id.
    """

    records: tuple[Record, ...]
    problems: tuple[Problem, ...]
    paths: Mapping[str, Path]

    def ranks(self, record: Record) -> pa.Table:
        """The stored ranks of one of the records; see ``read_ranks``."""
        return read_ranks(self.paths[record.cell.id], record)

    def examples(self, record: Record) -> tuple[Example, ...]:
        """The texts that are kept beside one of the records; see ``read_examples``."""
        return read_examples(self.paths[record.cell.id])

    def top(self, record: Record) -> pa.Table:
        """The stored top lists of one of the records; see ``read_top``."""
        return read_top(self.paths[record.cell.id], record)


def read_results(folder: Path) -> Reading:
    """Every result below ``folder`` (``**/*.json``; what begins with a dot is a running grid's).

    What lies below ``contributed/<name>`` was run by that contributor, and says so.
    Accuracy figures are those of the ranks, whatever a record's file says. A cell whose file or
    ranks cannot be used is a problem and, as far as its file names it, a failed record, so that no
    row goes without a word. Where a cell was stored twice, a finished one wins over others, then
    one that was made here, then the later one, and the loser is a problem unless it says the same.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}: give the folder that holds the results")
    found: dict[str, list[tuple[str, Record]]] = defaultdict(list)
    damaged: dict[str, tuple[str, Record]] = {}
    problems: list[Problem] = []
    for path in sorted(folder.rglob("*.json")):
        name = path.relative_to(folder).as_posix()
        if any(part.startswith(".") for part in name.split("/")):  # a running grid's own files
            continue
        try:
            record = load_result(path)
        except OSError as error:
            problems.append(Problem(name, f"cannot be read: {error.strerror}"))
        except ResultError as error:
            problems.append(Problem(name, str(error)))
            if (left := salvage(path, str(error))) is not None:
                damaged.setdefault(left.cell.id, (name, left))
        else:
            record = record.changed(contributor=contributor_of(name))
            found[record.cell.id].append((name, record))
    for cell, entry in damaged.items():
        if cell not in found:
            found[cell].append(entry)
    kept: list[Record] = []
    paths: dict[str, Path] = {}
    for cell in sorted(found):
        (name, record), *losers = sorted(found[cell], key=_preference, reverse=True)
        kept.append(record)
        paths[cell] = folder / name
        problems += _conflicts((name, record), losers)
    return Reading(tuple(kept), tuple(sorted(problems)), paths)


def contributor_of(name: str) -> str:
    """Who ran the result at a path inside a folder of results; empty where it was made here."""
    first, *rest = name.split("/")
    return rest[0] if first == CONTRIBUTED and len(rest) > 1 else ""


def load_result(path: Path) -> Record:
    """The record in a file, with the figures of the ranks beside it.

    Raises OSError, and ResultError, see ``parse`` and ``with_figures``.
    """
    return with_figures(path, load_record(path))


def salvage(path: Path, reason: str) -> Record | None:
    """What a result that cannot be used is called, as a failed record; None where it has no name.

    Its cell must be whole. Of the rest it is enough to find its row.
    """
    try:
        stored = _decoded(path)
        cell = Cell.model_validate(stored["cell"])
    except (OSError, ResultError, LookupError, TypeError, ValueError):
        return None
    if cell.id != cell.digest():
        return None
    failed = Status(kind="failed", reason=f"its result {reason}")
    row = {name: stored[name] for name in ("label", "preset", "wall") if name in stored}
    try:
        return Record.model_validate({"label": cell.model, **row, "cell": cell, "status": failed})
    except ValueError:
        return Record(cell=cell, label=cell.model, status=failed)


def load_record(path: Path) -> Record:
    """The record in a file, as it stands there. Raises OSError, and ResultError, see ``parse``."""
    return parse(_decoded(path))


def _decoded(path: Path) -> Any:
    """The value in a JSON file. Raises OSError, ResultError."""
    data = path.read_bytes()
    try:
        stored = json.loads(data)
        if b"\\ud" in data.lower():  # half a character, which nothing could print or write
            json.dumps(stored, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        # A ValueError covers bad JSON and bad UTF-8 alike.
        raise ResultError(f"is not valid JSON ({error}): remove it, or run its cell") from error
    return stored


def _preference(entry: tuple[str, Record]) -> tuple[bool, bool, str, str]:
    name, record = entry
    return record.done, not record.contributor, record.started, name


def _conflicts(
    winner: tuple[str, Record], losers: Iterable[tuple[str, Record]]
) -> Iterable[Problem]:
    name, kept = winner
    for other, record in losers:
        if record != kept:
            yield Problem(other, f"is the same cell as {name} with another content: left out")
