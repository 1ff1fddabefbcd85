"""Questions to a person in a terminal, where no name in a folder tells what a file or column is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from rich.markup import escape
from rich.table import Table

from mmbench.cli.screen import make_console
from mmbench.data.events import Unclear
from mmbench.data.several import Several

if TYPE_CHECKING:
    from mmbench.data.looks import Look

Result = TypeVar("Result")
ROWS = 5
NONE = "-"


def ask_where_unclear(attempt: Callable[[Mapping[str, Any]], Result]) -> Result:
    """What ``attempt`` returns, given what a person says where it raises Unclear or Several.

    Without a terminal the error stands: it lists what may be meant. Each question is asked once.
    """
    answers: dict[str, Any] = {}
    while True:
        try:
            return attempt(answers)
        except Several as error:
            if not _is_terminal():
                raise
            answers |= _ask_which(error)
        except Unclear as error:
            asked = [kind for kind in error.kinds if f"{kind}_column" not in answers]
            if not asked or not _is_terminal():
                raise
            answers |= _ask(error, asked)


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _ask_which(error: Several) -> dict[str, Any]:
    """Which of several files hold the events, as flags of an import."""
    console = make_console()
    ways: list[tuple[str, dict[str, Any]]] = []
    together = list(error.names)
    if error.folds:
        told = "all, as one log, and their split as a protocol of your own (local:)"
        ways.append((told, {"join": together, "local_split": True}))
    if error.joinable:
        ways.append(("all, as one log", {"join": together}))
    ways += [(f"{name} alone", {"interactions": name}) for name in together]
    console.print("several files look like events; which of them are the log?")
    for number, (told, _) in enumerate(ways, 1):
        console.print(f"  {number} {told}", markup=False)
    while True:
        number = int(typer.prompt("Which?", type=int, default=1))
        if 1 <= number <= len(ways):
            return ways[number - 1][1]
        typer.echo(f"say 1 to {len(ways)}")


def _ask(error: Unclear, kinds: list[str]) -> dict[str, Any]:
    """The file and its columns, as flags of an import."""
    console = make_console()
    look = error.looks[0]
    if len(error.looks) > 1:
        for number, one in enumerate(error.looks, 1):
            console.print(f"[bold]{number}[/] {escape(one.name)}: {escape(', '.join(one.columns))}")
        number = typer.prompt("Which file holds the events?", type=int, default=1)
        look = error.looks[min(max(number, 1), len(error.looks)) - 1]
    console.print(_rows(look))
    answers: dict[str, Any] = {"interactions": look.name}
    if "user" in kinds:
        kinds = [*kinds, "time", "rating"]
    for kind in dict.fromkeys(kinds):
        column = _column(look, kind, optional=kind in ("time", "rating"))
        if column is not None:
            answers[f"{kind}_column"] = column
    return answers


def _column(look: Look, kind: str, optional: bool) -> str | None:
    """A column by its number or its name."""
    hint = f" ({NONE} for none)" if optional else ""
    while True:
        said = str(
            typer.prompt(f"Which column is the {kind}?{hint}", default=NONE if optional else None)
        ).strip()
        if optional and said == NONE:
            return None
        if said in look.columns:
            return said
        if said.isdigit() and 1 <= int(said) <= len(look.columns):
            return look.columns[int(said) - 1]
        typer.echo(f"there are the columns {', '.join(look.columns)}, or 1 to {len(look.columns)}")


def _rows(look: Look) -> Table:
    """The first rows under numbered names."""
    table = Table(title=f"{look.name}, its first rows", title_justify="left")
    for number, column in enumerate(look.columns, 1):
        table.add_column(escape(f"{number} {column}"), overflow="fold")
    for row in look.rows.head(ROWS).itertuples(index=False, name=None):
        table.add_row(*(escape(str(cell)) for cell in row))
    return table
