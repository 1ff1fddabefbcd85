"""Boards as files: written, or compared with what is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mmbench.files import slug, write_atomically
from mmbench.problems import UserError
from mmbench.report.aggregate import Board, make_boards
from mmbench.report.board import GENERATED, render_board
from mmbench.report.markdown import Column, escape, table
from mmbench.report.overview import overviews
from mmbench.report.standings import gather
from mmbench.report.words import count, plural
from mmbench.results.read import Problem, Reading

INDEX = "README.md"


class BoardError(UserError):
    """Boards that cannot be written as asked; the message says what is in the way."""


def write_boards(reading: Reading, out: Path, *, published: bool = False) -> list[Path]:
    """Write ``<protocol>/<dataset>.md`` and an index for what was read.

    Boards made earlier for which there are no results any more are removed; no other file is
    touched.

    Returns:
        The files that these results make, written anew or the same as before, in order of path.

    Raises:
        BoardError: a file that is no board is in the way; or see ``demand_publishable``.
    """
    pages = _pages(reading, published)
    foreign = [path for path in pages if (out / path).exists() and not _is_ours(out / path)]
    if foreign:
        raise BoardError(
            f"{out / foreign[0]} was not made by `mmbench leaderboard` and would be overwritten: "
            "move it, or choose another folder with -o"
        )
    for path, text in pages.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out / path, text.encode())
    for orphan in _orphans(out, pages):
        orphan.unlink()
    return [out / path for path in pages]


def stale(reading: Reading, out: Path, *, published: bool = False) -> list[Path]:
    """The files that ``write_boards`` would add, change or remove, in order of path.

    Raises as ``write_boards`` does, apart from files in its way, which are stale.
    """
    pages = _pages(reading, published)
    changed = [out / path for path, text in pages.items() if _bytes(out / path) != text.encode()]
    return sorted([*changed, *_orphans(out, pages)])


def _pages(reading: Reading, published: bool) -> dict[str, str]:
    """Path inside the output folder to text, in order of path."""
    if published:
        demand_publishable(reading)
    boards = make_boards(reading.records, ranks=reading.ranks)
    paths = _paths(boards)
    found = [gather(board, boards, reading.ranks) for board in boards]
    pages = {
        path: render_board(board, evidence)
        for path, board, evidence in zip(paths, boards, found, strict=True)
    }
    over = overviews(zip(boards, found, strict=True))
    pages[INDEX] = _index(paths, boards, over, reading.problems)
    return dict(sorted(pages.items()))


def demand_publishable(reading: Reading) -> None:
    """Raise BoardError where a result cannot be on a published board.

    That is: a smoke run, code that no version names, a run in which no wall kept the targets from
    the model, and a file that cannot be read.
    """
    told = [
        f"{record.label} on {record.cell.dataset}, seed {record.cell.seed} "
        f"(cell {record.cell.id}): {why}"
        for record in reading.records
        for applies, why in (
            (record.cell.limit is not None, f"a smoke run (--limit {record.cell.limit})"),
            (bool(record.environment.dirty), "from a dirty checkout"),
            (record.done and record.wall == "none", "no wall (--in-process)"),
        )
        if applies
    ]
    told += [f"{problem}" for problem in reading.problems]
    if told:
        raise BoardError(
            "these results cannot be on a published board; run the cells again, whole, from "
            "committed code and behind the wall, or remove the files:\n  " + "\n  ".join(told)
        )


def _paths(boards: Sequence[Board]) -> list[str]:
    """A path a board; the fingerprint is named where a dataset was prepared in several ways."""
    short = [f"{slug(board.protocol)}/{slug(board.dataset)}" for board in boards]
    return [
        f"{path}-{slug(board.fingerprint)}.md" if short.count(path) > 1 else f"{path}.md"
        for path, board in zip(short, boards, strict=True)
    ]


def _index(
    paths: Sequence[str],
    boards: Sequence[Board],
    over: Sequence[str],
    problems: Iterable[Problem],
) -> str:
    entries = list(zip(paths, boards, strict=True))
    columns: list[Column[tuple[str, Board]]] = [
        Column("board", lambda e: f"[{escape(e[0].removesuffix('.md'))}]({e[0]})", left=True),
        Column("rows", lambda e: str(len(e[1].rows))),
        Column("cells", lambda e: str(len(e[1].records))),
        Column("unfinished", lambda e: str(sum(not r.done for r in e[1].records))),
        Column("queries", lambda e: count(e[1].facts.queries)),
        Column("items", lambda e: count(e[1].facts.catalogue)),
        Column("remarks", lambda e: escape("; ".join(e[1].facts.data.remarks)), left=True),
    ]
    parts = [GENERATED, "# Leaderboards"]
    parts.append(table(columns, entries) if entries else "There are no results yet.")
    parts += over
    left_out = [f"- {escape(str(problem))}" for problem in problems]
    if left_out:
        parts.append(f"## Left out\n\n{plural(len(left_out), 'file')} could not be used:")
        parts.append("\n".join(left_out))
    return "\n\n".join(parts) + "\n"


def _orphans(out: Path, pages: Iterable[str]) -> list[Path]:
    wanted = {out / path for path in pages}
    return [p for p in sorted(out.glob("*/*.md")) if p not in wanted and _is_ours(p)]


def _is_ours(path: Path) -> bool:
    content = _bytes(path)
    return content is not None and content.startswith(GENERATED.encode())


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
