"""The section of a board that holds costs, and where they were measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mmbench.report.accuracy import model_column
from mmbench.report.aggregate import Board, Row
from mmbench.report.page import Cell, Section, Shown, make_table
from mmbench.report.view import View
from mmbench.report.words import count, duration, plain, plural, small
from mmbench.results.record import Environment


def machine(environment: Environment) -> str:
    """``4 cores, Xeon`` or ``16 cores, 1 thread, Xeon, H200``; empty where nothing is known."""
    cores = plural(environment.cores, "core") if environment.cores else ""
    told = environment.threads if environment.threads != environment.cores else None
    threads = plural(told, "thread") if told else ""
    return ", ".join(filter(None, [cores, threads, environment.cpu, environment.gpu]))


def costs(board: Board, view: View) -> Iterator[Section]:
    """Time, memory and size of each row that has any."""
    rows = [row for row in board.rows if row.cost and view.shows(row)]
    names = sorted({machine(r.environment) for row in rows for r in row.done} - {""})
    letters = {name: chr(ord("A") + i % 26) * (i // 26 + 1) for i, name in enumerate(names)}

    def cost(name: str, show: Callable[[float], str]) -> Callable[[Row], Cell]:
        return lambda r: Cell(show(r.cost[name]), r.cost[name]) if name in r.cost else Cell()

    def where(row: Row) -> str:
        used = {letters.get(machine(record.environment), "?") for record in row.done}
        return ", ".join(sorted(used)) if len(letters) > 1 else ""

    columns: list[Shown[Row]] = [
        model_column(board),
        Shown("fit", cost("fit_seconds", duration)),
        Shown("score, s per 1,000 queries", cost("score_seconds_per_1000", small)),
        Shown("peak memory, MB", cost("peak_memory_mb", count)),
        Shown("trainable parameters", cost("parameters", count)),
        Shown("device", lambda r: plain(", ".join(sorted({x.device for x in r.done}))), left=True),
        Shown("machine", where),
    ]
    if not rows:
        return
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    if len(names) > 1:
        before = ("Measured on different machines; compare costs only within one.",)
        after = tuple(f"{letter}: {plain(name)}" for name, letter in letters.items())
    elif names:
        before = (f"Measured on: {plain(names[0])}.",)
    yield Section(
        "cost",
        "Cost, mean over seeds",
        before=before,
        table=make_table(columns, rows),
        after=after,
        side=True,
    )
