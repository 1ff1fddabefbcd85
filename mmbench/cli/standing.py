"""``mmbench status``: how a grid stands, wherever its cells run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmbench.cli.options import Json

if TYPE_CHECKING:
    from mmbench.cluster.status import AtWork, Status

MANY = 10  # waiting cells that are named


def status(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="A folder of results.")],
    plan: Annotated[
        Path | None,
        typer.Option("--plan", "-p", help="A plan's file; else the newest that was sent out."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show which cells run and where, which failed or wait, and how long it still takes.

    It reads the folder and asks no cluster, so that any machine that sees the folder will do. A
    worker without a sign of life is named as lost; its cell is run again three times at most.

    \b
    Examples:
      mmbench status results
      mmbench status results --plan plan.json
      mmbench status results --json
    """
    from mmbench.cli.screen import make_console
    from mmbench.cluster.status import examine

    found = examine(results, plan)
    if as_json:
        print(json.dumps(found.to_json(), indent=1))
        return
    console = make_console()
    for line in status_lines(found):
        console.print(line, markup=False, soft_wrap=True)


def status_lines(found: Status) -> Iterator[str]:
    """What there is to say, line by line."""
    from mmbench.report.words import duration

    at_work = [one for one in found.running if not one.lost]
    counts = {
        "done": found.done,
        "failed": len(found.failures),
        "running": len(at_work),
        "lost": len(found.running) - len(at_work),
        "waiting": len(found.waiting),
    }
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing yet"
    left = f"; about {duration(found.left)} left" if found.left is not None else ""
    yield f"plan {found.plan}: {told}{left}" if found.plan else f"no plan here: {told}"
    for one in found.running:
        yield _line(one)
    for failure in found.failures:
        reason = failure.reason.split("\n")[0]
        yield f"{failure.kind} {failure.label}, cell {failure.cell}: {reason}"
    for label in found.waiting[:MANY]:
        yield f"waiting {label}"
    if len(found.waiting) > MANY:
        yield f"waiting: {len(found.waiting) - MANY:,} more"
    for path in found.aside:
        yield f"stored twice, and differs: {path}"


def _line(one: AtWork) -> str:
    """A cell with a lease."""
    name = one.label or f"cell {one.cell}"
    count = f", attempt {one.attempt} of {one.attempts}" if one.attempt > 1 else ""
    if one.lost:
        return f"lost {name}{count}: {one.lost}, {one.age:.0f} s ago"
    far = ""
    if one.done is not None:
        far = f"; {one.done:,.0f}{f' of {one.total:,.0f}' if one.total else ''} {one.unit}"
    left = f", {one.left:,.0f} s left" if one.left is not None else ""
    return f"running {name}, on {one.worker}{count}, sign of life {one.age:.0f} s ago{far}{left}"
