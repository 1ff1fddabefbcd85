"""Boards as files: written, or compared with what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmbench.files import slug, write_atomically
from mmbench.problems import UserError, did_you_mean
from mmbench.report import markdown
from mmbench.report.aggregate import Board, make_boards
from mmbench.report.board import make_page
from mmbench.report.grids import grid_links
from mmbench.report.html import render as html
from mmbench.report.latex import GENERATED as TEX_MARK
from mmbench.report.latex import to_latex
from mmbench.report.markdown import to_markdown
from mmbench.report.overview import overviews
from mmbench.report.page import Cell, Page, Section, Shown, make_table
from mmbench.report.spreadsheets import MARK as CSV_MARK
from mmbench.report.spreadsheets import to_csv
from mmbench.report.standings import gather
from mmbench.report.view import DEFAULT, View
from mmbench.report.words import count, plain, plural
from mmbench.results.read import Problem, Reading
from mmbench.results.record import Record


class BoardError(UserError):
    """Boards that cannot be written as asked; the message says what is in the way."""


@dataclass(frozen=True, slots=True)
class Format:
    """A way to write boards down.

    Attributes:
        index: the name of the index's file, without an ending; empty where the format has none.
        write: a page as files: what follows the path of its board, and the text.
        endings: of all its files.
        mark: with which its files begin, by which they are known.
    """

    index: str
    write: Callable[[Page], Mapping[str, str]]
    endings: tuple[str, ...]
    mark: str


FORMATS: dict[str, Format] = {
    "markdown": Format(
        "README", lambda page: {".md": to_markdown(page)}, (".md",), markdown.GENERATED
    ),
    "html": Format("index", lambda page: {".html": html.to_html(page)}, (".html",), html.GENERATED),
    "csv": Format("", to_csv, (".csv",), CSV_MARK),
    "latex": Format("", lambda page: {".tex": to_latex(page)}, (".tex",), TEX_MARK),
}
USUAL = ("markdown",)


def demand_formats(formats: Iterable[str]) -> tuple[str, ...]:
    """The formats, each once. Raises UserError for an unknown one, or for none."""
    found = tuple(dict.fromkeys(formats))
    for name in found:
        if name not in FORMATS:
            raise UserError(f"no format is called {name}.{did_you_mean(name, FORMATS)}")
    if not found:
        raise UserError(f"name a format: {', '.join(FORMATS)}")
    return found


def write_boards(
    reading: Reading,
    out: Path,
    *,
    published: bool = False,
    formats: Sequence[str] = USUAL,
    view: View = DEFAULT,
) -> list[Path]:
    """Write ``<protocol>/<dataset>.md`` and an index for what was read; other formats beside.

    Boards of these formats made earlier for which there are no results any more are removed; no
    other file is touched.

    Returns:
        The files that these results make, written anew or the same as before, in order of path.

    Raises:
        BoardError: a file that is no board is in the way; or see ``demand_publishable``.
    """
    pages = _files(reading, out, published, formats, view)
    foreign = [path for path in pages if (out / path).exists() and not _is_ours(out / path)]
    if foreign:
        raise BoardError(
            f"{out / foreign[0]} was not made by `mmbench leaderboard` and would be overwritten: "
            "move it, or choose another folder with -o"
        )
    for path, text in pages.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out / path, text.encode())
    for orphan in _orphans(out, pages, formats):
        orphan.unlink()
    return [out / path for path in pages]


def stale(
    reading: Reading,
    out: Path,
    *,
    published: bool = False,
    formats: Sequence[str] = USUAL,
    view: View = DEFAULT,
) -> list[Path]:
    """The files that ``write_boards`` would add, change or remove, in order of path.

    Raises as ``write_boards`` does, apart from files in its way, which are stale.
    """
    pages = _files(reading, out, published, formats, view)
    changed = [out / path for path, text in pages.items() if _bytes(out / path) != text.encode()]
    return sorted([*changed, *_orphans(out, pages, formats)])


def _files(
    reading: Reading, out: Path, published: bool, formats: Sequence[str], view: View
) -> dict[str, str]:
    """Path inside the output folder to text, in order of path."""
    if published:
        demand_publishable(reading)
    chosen = [FORMATS[name] for name in demand_formats(formats)]
    files: dict[str, str] = {}
    for path, page in make_pages(reading, view, out).items():
        for one in chosen:
            if path or one.index:
                files |= {f"{path or one.index}{end}": t for end, t in one.write(page).items()}
    return dict(sorted(files.items()))


def make_pages(
    reading: Reading, view: View = DEFAULT, beside: Path | None = None
) -> dict[str, Page]:
    """Path without an ending to a board's page; the index has an empty one.

    ``beside``: a folder whose grid files are linked.
    """
    boards = make_boards(reading.records, ranks=reading.ranks)
    paths = _paths(boards)
    found = [gather(b, boards, reading.ranks, metrics=view.with_intervals) for b in boards]
    pages = {
        path: make_page(board, evidence, view, grid_links(board, beside) if beside else ())
        for path, board, evidence in zip(paths, boards, found, strict=True)
    }
    over = overviews(zip(boards, found, strict=True), view)
    return {**pages, "": _index(paths, boards, over, reading.problems)}


def demand_publishable(reading: Reading) -> None:
    """Raise BoardError where a result cannot be on a published board.

    That is: a smoke run, code that no version names, a run in which no wall kept the targets from
    the model, and a file that cannot be read.
    """
    told = [
        f"{record.label} on {record.cell.dataset}, seed {record.cell.seed} "
        f"(cell {record.cell.id}): {why}"
        for record in reading.records
        for why in unpublishable(record)
    ]
    told += [f"{problem}" for problem in reading.problems]
    if told:
        raise BoardError(
            "these results cannot be on a published board; run the cells again, whole, from "
            "committed code and behind the wall, or remove the files:\n  " + "\n  ".join(told)
        )


def unpublishable(record: Record) -> list[str]:
    """Why a result cannot be on a published board."""
    reasons = (
        (record.cell.limit is not None, f"a smoke run (--limit {record.cell.limit})"),
        (bool(record.environment.dirty), "from a dirty checkout"),
        (record.done and record.wall == "none", "no wall (--in-process)"),
    )
    return [why for applies, why in reasons if applies]


def _paths(boards: Sequence[Board]) -> list[str]:
    """A path a board; the fingerprint is named where a dataset was prepared in several ways."""
    short = [f"{slug(board.protocol)}/{slug(board.dataset)}" for board in boards]
    return [
        f"{path}-{slug(board.fingerprint)}" if short.count(path) > 1 else path
        for path, board in zip(short, boards, strict=True)
    ]


def _index(
    paths: Sequence[str],
    boards: Sequence[Board],
    over: Sequence[Section],
    problems: Iterable[Problem],
) -> Page:
    entries = list(zip(paths, boards, strict=True))

    def number(value: int | None) -> Cell:
        return Cell(count(value), value)

    columns: list[Shown[tuple[str, Board]]] = [
        Shown("board", lambda e: Cell(plain(e[0]), link=e[0]), left=True),
        Shown("rows", lambda e: number(len(e[1].rows))),
        Shown("cells", lambda e: number(len(e[1].records))),
        Shown("unfinished", lambda e: number(sum(not r.done for r in e[1].records))),
        Shown("queries", lambda e: number(e[1].facts.queries)),
        Shown("items", lambda e: number(e[1].facts.catalogue)),
        Shown("remarks", lambda e: plain("; ".join(e[1].facts.data.remarks)), left=True),
    ]
    boards_section = Section(
        "boards",
        "Boards",
        before=() if entries else ("There are no results yet.",),
        table=make_table(columns, entries) if entries else None,
    )
    sections = [boards_section, *over]
    left_out = tuple(plain(str(problem)) for problem in problems)
    if left_out:
        before = (f"{plural(len(left_out), 'file')} could not be used:",)
        sections.append(Section("left-out", "Left out", before=before, after=left_out))
    return Page("Leaderboards", sections=tuple(sections))


def _orphans(out: Path, pages: Iterable[str], formats: Iterable[str]) -> list[Path]:
    wanted = {out / path for path in pages}
    endings = [ending for name in formats for ending in FORMATS[name].endings]
    found = [path for ending in endings for path in out.glob(f"*/*{ending}")]
    return [path for path in sorted(found) if path not in wanted and _is_ours(path)]


def _is_ours(path: Path) -> bool:
    content = _bytes(path)
    marks = [one.mark for one in FORMATS.values() if path.suffix in one.endings]
    return content is not None and any(content.startswith(mark.encode()) for mark in marks)


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
