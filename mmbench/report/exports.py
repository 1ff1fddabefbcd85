"""Stored results as files for other tools: runs of TREC, and CSV of users and of lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mmbench.data.log import Log
from mmbench.files import slug, write_atomically
from mmbench.problems import UserError
from mmbench.protocol import PROTOCOLS, get_protocol
from mmbench.report.aggregate import Board, Row
from mmbench.report.frames import user_figures
from mmbench.report.lists import Lists, csv_lists, name_lists, trec_qrels, trec_run
from mmbench.results.read import Reading
from mmbench.results.record import Record


class Listed(NamedTuple):
    """A finished cell with its lists."""

    board: Board
    row: Row
    record: Record
    lists: Lists


def find_lists(
    reading: Reading,
    pairs: Iterable[tuple[Board, Row]],
    candidates: str,
    load: Callable[[str], Log],
    data: str | None = None,
    protocol: str | None = None,
) -> list[Listed]:
    """The lists of each finished cell of some rows, see ``name_lists``.

    ``load`` opens a dataset: by its id, or as ``data`` names it where that does not do. Which
    protocols: see ``choose_protocol``.
    """
    logs: dict[str, Log] = {}
    found = []
    for board, row in choose_protocol(pairs, protocol):
        name, asked = data or board.dataset, get_protocol(protocol or board.protocol)
        for record in row.done:
            if name not in logs:
                logs[name] = load(name)
            tables = reading.ranks(record), reading.top(record)
            lists = name_lists(record, *tables, candidates, logs[name], asked)
            found.append(Listed(board, row, record, lists))
    return found


def choose_protocol(
    pairs: Iterable[tuple[Board, Row]], protocol: str | None = None
) -> list[tuple[Board, Row]]:
    """The rows of one protocol, by its name or, of a local one, by its file.

    Where none is named, those of the published protocols, or all where there are no such. Raises
    UserError where a protocol has no such row.
    """
    every = list(pairs)
    if protocol is None:
        return [pair for pair in every if pair[0].protocol in PROTOCOLS] or every
    name = get_protocol(protocol).name
    found = [pair for pair in every if pair[0].protocol == name]
    if every and not found:
        known = ", ".join(sorted({board.protocol for board, _ in every}))
        raise UserError(f"no such row was asked {name}, but {known}")
    return found


def write_trec(found: Sequence[Listed], candidates: str, out: Path) -> list[Path]:
    """Write ``<dataset>/<protocol>/<model>-<cell>.<set>.run``, and ``qrels.txt`` beside it.

    A smoke run has judgements of its own, for it asks fewer users. Returns the files. Raises
    OSError.
    """
    files = {}
    for board, row, record, lists in found:
        limit = "" if record.cell.limit is None else f"-limit-{record.cell.limit}"
        files[_folder(out, board) / f"qrels{limit}.txt"] = trec_qrels(lists)
        path = _path(out, board, row, record, f"{candidates}.run")
        files[path] = trec_run(lists, row.name)
    return _write(files)


def write_lists(found: Sequence[Listed], candidates: str, out: Path) -> list[Path]:
    """Write ``<dataset>/<protocol>/<model>-<cell>.<set>.csv``, see ``csv_lists``."""
    return _write(
        {
            _path(out, board, row, record, f"{candidates}.csv"): csv_lists(lists)
            for board, row, record, lists in found
        }
    )


def write_users(
    reading: Reading, pairs: Iterable[tuple[Board, Row]], metrics: Sequence[str], out: Path
) -> list[Path]:
    """Write ``<dataset>/<protocol>/<model>-<cell>.users.csv``, see ``user_figures``."""
    return _write(
        {
            _path(out, board, row, record, "users.csv"): [
                user_figures(reading.ranks(record), metrics).to_csv(
                    index=False, lineterminator="\n"
                )
            ]
            for board, row in pairs
            for record in row.done
        }
    )


def _folder(out: Path, board: Board) -> Path:
    return out / slug(board.dataset) / slug(board.protocol)


def _path(out: Path, board: Board, row: Row, record: Record, ending: str) -> Path:
    return _folder(out, board) / f"{slug(row.name)}-{record.cell.id}.{ending}"


def _write(files: Mapping[Path, Iterable[str]]) -> list[Path]:
    for path, lines in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, "".join(lines).encode())
    return list(files)
