"""What the commands show: consoles, the plan, and the progress of a grid."""

from __future__ import annotations

import contextlib
import datetime
import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from mmbench.audit.published import Audit
    from mmbench.check import Verdict
    from mmbench.grid.plan import Planned
    from mmbench.results.cell import Cell
    from mmbench.results.record import Record

SHORT = 60.0  # seconds that are not worth a word in a plan
STYLES = {"done": "green", "new": "cyan", "not-applicable": "dim"}


def make_console(*, stderr: bool = False) -> Console:
    """A console that keeps its lines whole where nobody looks at it (files, pipes, CI)."""
    # no emoji: `file:X:` is a model's name, not a picture
    console = Console(stderr=stderr, highlight=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(stderr=stderr, highlight=False, emoji=False, width=120)
    return console


def plan_lines(
    rows: Sequence[Planned], working: Sequence[Planned], *, chosen: bool = False
) -> Iterator[Table | str]:
    """The plan as a table, then a line of markup for each row that wants a word more.

    ``chosen`` tells that presets were taken for what this machine has, not asked for.
    """
    yield plan_table(rows, working)
    yield from _say_chosen(rows) if chosen else ()
    yield from _say_drawless(rows)
    for row in rows:
        if row.problem:
            yield f"[red]broken[/] {escape(f'{row.label}: {row.problem}')}"
    at_work = {id(row) for row in working}
    stale = [row for row in rows if row.stale and (row.kept or id(row) in at_work)]
    for row in stale:
        assert row.job is not None and row.stale is not None
        then, now = row.stale.cell, row.job.cell
        what = f"{cell_name(row)}: stored {_code(then)}, now {_code(now)}"
        yield f"[yellow]other code[/] {escape(what)}"
    if any(not row.kept for row in stale):
        yield "These are made anew, and what is stored stays; --keep-stale serves it instead."


def _say_chosen(rows: Iterable[Planned]) -> Iterator[str]:
    """A line for each size that was taken instead of a larger one, and why."""
    taken: dict[tuple[str, str], dict[str, None]] = {}
    for row in rows:
        if row.job and (why := row.job.declared.why):
            models = taken.setdefault((row.job.declared.size, why), {})
            models[row.job.cell.model] = None
    for (size, why), models in taken.items():
        names = ", ".join(models)
        yield escape(f"{size} runs for {names}: {why} (--preset paper runs the real ones)")


def _say_drawless(rows: Iterable[Planned]) -> Iterator[str]:
    """A line that names the models of which more seeds were asked for than there is use for."""
    alone = dict.fromkeys(row.label for row in rows if row.one_seed)
    if alone:
        yield escape(f"one seed of {', '.join(alone)}: every seed gives the same, nothing is drawn")


def _code(cell: Cell) -> str:
    """The code of a cell, and of the one that it starts from, for people."""
    own = f"{cell.version}, code {cell.code[:8] or 'unknown'}"
    return f"{own}, on {cell.upstream.model} {_code(cell.upstream)}" if cell.upstream else own


def plan_table(rows: Sequence[Planned], working: Sequence[Planned]) -> Table:
    """The plan: one line a model and dataset, its seeds, its preset and what is already there."""
    from mmbench.report.words import duration

    table = Table(box=None, pad_edge=False, header_style="bold")
    timed = any((row.seconds or 0) >= SHORT for row in working)
    for name in ("model", "preset", "dataset", "seeds", "state", *(["about"] if timed else [])):
        table.add_column(name, overflow="fold")
    groups: dict[tuple[str, str], list[Planned]] = {}
    for row in rows:
        groups.setdefault((row.label, row.dataset), []).append(row)
    at_work = {id(row) for row in working}
    for (label, dataset), members in groups.items():
        states = [_state(row, id(row) in at_work) for row in members]
        known = [row.seconds for row in members if id(row) in at_work and row.seconds]
        about = [duration(sum(known)) if known else ""] if timed else []
        table.add_row(
            escape(label),
            members[0].job.preset if members[0].job else "-",
            escape(dataset),
            ",".join(str(row.seed) for row in members),
            Text(count_words(states), style=STYLES.get(members[0].state, "red")),
            *about,
        )
    return table


def _state(row: Planned, at_work: bool) -> str:
    """What is known of a row, and what will be done about it."""
    if row.inapplicable:
        return f"not applicable: {row.inapplicable}"
    if row.kept and not at_work:
        return f"{row.state} by other code"
    if not at_work:
        return row.state
    return "to run" if row.state == "new" else f"{row.state}, run again"


def count_words(words: Sequence[str]) -> str:
    """``["done", "done", "to run"]`` as ``2 done, 1 to run``; a lone word stands alone."""
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    if len(words) == 1:
        return words[0]
    return ", ".join(f"{count} {word}" for word, count in counts.items())


def cell_name(row: Planned) -> str:
    """A cell for people."""
    return f"{row.label} on {row.dataset}, seed {row.seed}"


def outcome_line(row: Planned, record: Record) -> str:
    """One line of markup on a finished cell."""
    kind, name = record.status.kind, escape(cell_name(row))
    if not record.done:
        reason = escape(record.status.reason.split("\n")[0])
        return f"[{STYLES.get(kind, 'red')}]{kind}[/] {name}: {reason}"
    figures = ", ".join(
        f"{name} {values['ndcg@10']:.4f}" for name, values in record.metrics.items()
    )
    return f"[green]done[/] {name}: ndcg@10 {figures} ({record.seconds:.1f} s)"


def verdict_line(verdict: Verdict) -> str:
    """One line of markup on a conformance check."""
    style = {"passed": "green", "skipped": "dim", "known failure": "yellow"}
    mark = f"[{style.get(verdict.status, 'red')}]{verdict.status}[/]"
    seconds = f" [dim]({verdict.seconds:.1f} s)[/]" if verdict.seconds >= 0.05 else ""
    reason = f": {escape(verdict.reason)}" if verdict.reason else ""
    return f"{mark} {verdict.group}: {verdict.check}{seconds}{reason}"


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON-able data."""
    return asdict(verdict)


class _Rate(ProgressColumn):
    """Steps a second, in the unit that the model counts in."""

    def render(self, task: Task) -> Text:
        return Text(_rate(task), style="dim")


class _Left(ProgressColumn):
    """Time left at that rate."""

    def render(self, task: Task) -> Text:
        return Text("" if task.remaining is None else _left(task) or "-:--:--", style="cyan")


def _rate(task: Task) -> str:
    """``3.1 epochs/s`` or ``epochs, 12 s each``; the unit alone where no rate is known."""
    unit, speed = str(task.fields.get("unit", "")), _speed(task)
    if not speed:
        return unit
    return f"{speed:,.1f} {unit}/s" if speed >= 0.1 else f"{unit}, {1 / speed:,.0f} s each"


def _left(task: Task) -> str:
    """``0:12:00``; empty where it is not known."""
    speed = _speed(task)
    if not speed or task.remaining is None:
        return ""
    return str(datetime.timedelta(seconds=int(task.remaining / speed)))


def _speed(task: Task) -> float | None:
    """Steps a second; over the whole time where few were told lately, as of long epochs.

    So it is of cells too, which end in bursts where several run.
    """
    if task.speed and task.fields.get("unit") != "cells":
        return task.speed
    return task.completed / task.elapsed if task.elapsed else None


def running_line(task: Task) -> str:
    """One line of markup on a running cell, or the grid: how far, how fast, and the time left."""
    done = f"{task.completed:,.0f}"
    if task.total is not None:
        done += f" of {task.total:,.0f}"
    parts = [f"{done} {task.fields['unit']}"] if task.completed else []
    parts.append(f"{datetime.timedelta(seconds=int(task.elapsed or 0))} so far")
    if _speed(task):
        parts.append(_rate(task))
    if left := _left(task):
        parts.append(f"{left} left")
    return f"[dim]running[/] {task.description}: {escape(', '.join(parts))}"


class GridProgress:
    """Bars for the grid and its running cells; a line a minute for each where nobody looks.

    What is said of a cell begins with its name, of the grid with ``cells``.
    """

    def __init__(self, console: Console, total: int, every: float = 60.0) -> None:
        """``every``: seconds between two lines of a running cell, off a terminal."""
        self.console = console
        self.total = total
        self.ended = 0
        self.bars = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            _Left(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self.grid = self.bars.add_task("cells", total=total, unit="cells")
        self.cells: dict[int, TaskID] = {}
        self.lock = threading.Lock()
        self.every = every
        self.over = threading.Event()
        self.teller = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> GridProgress:
        self.bars.start()
        if not self.console.is_terminal:
            self.teller.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bars.stop()
        self.over.set()
        if self.teller.is_alive():
            self.teller.join()

    def _tell(self) -> None:
        """Every so often, a line for each running cell, and one for the grid of several."""
        while not self.over.wait(self.every):
            with self.lock:
                shown = {*self.cells.values(), *([self.grid] if self.total > 1 else [])}
                for task in (task for task in self.bars.tasks if task.id in shown):
                    self.console.print(running_line(task), soft_wrap=True)

    def cell_started(self, row: Planned) -> None:
        """Show a bar for the cell."""
        with self.lock:
            self.cells[id(row)] = self.bars.add_task(
                escape(cell_name(row)), total=None, unit="starting"
            )

    def cell_event(self, row: Planned, event: Mapping[str, Any]) -> None:
        """Move the cell's bar, or say that it is another grid's, or was before us."""
        if event["event"] == "waiting":
            name = escape(cell_name(row))
            self.console.print(f"[dim]waiting[/] for another grid that runs {name}", soft_wrap=True)
        if event["event"] == "lost":
            told = f"{cell_name(row)}: {event['reason']}; again in {event['pause']:.0f} s"
            self.console.print(f"[yellow]lost[/] {escape(told)}", soft_wrap=True)
        if event["event"] == "aside":
            told = f"{cell_name(row)}: another worker stored it first, and differs; ours is kept in"
            self.console.print(f"[red]twice[/] {escape(told)} {event['path']}", soft_wrap=True)
        if event["event"] == "unkept":
            told = f"{cell_name(row)} cannot be kept: {event['reason']}"
            self.console.print(escape(told), soft_wrap=True)
        if event["event"] != "progress":
            return
        task = self.cells[id(row)]
        # a model that does not know its total may say inf
        total = event["total"] if math.isfinite(event["total"]) else None
        done = event["done"] if math.isfinite(event["done"]) else None
        if self._unit(task) != event["unit"]:
            self.bars.reset(task, total=total, unit=event["unit"])
        self.bars.update(task, completed=done, total=total)

    def cell_finished(self, row: Planned, record: Record) -> None:
        """Print the cell's line and take its bar away."""
        with self.lock:
            self.ended += 1
            task = self.cells.pop(id(row), None)
            if task is not None:
                self.bars.remove_task(task)
            self.bars.update(self.grid, completed=self.ended)
        count = f"[dim]{self.ended}/{self.total}[/] " if self.total > 1 else ""
        self.console.print(count + outcome_line(row, record), soft_wrap=True)

    def _unit(self, wanted: TaskID) -> str:
        for task in self.bars.tasks:
            if task.id == wanted:
                return str(task.fields.get("unit", ""))
        return ""


AUDIT_KINDS = {
    "range": "a figure that no mean over queries can be, by itself or as the cutoff grows",
    "gate": "hit@k and ndcg@k that no ranking can have together",
    "hit@1": "impossible with ndcg@1, which equals hit@1",
    "mrr": "an mrr that no ranking can have beside its hit@k",
    "outside": "more than one target a query: outside the one-target assumption, not judged",
}


def audit_lines(found: Audit) -> Text:
    """The findings on published figures, a heading a kind and a row a finding."""
    lines = Text()
    for kind, meaning in AUDIT_KINDS.items():
        findings = [finding for finding in found.findings if finding.kind == kind]
        if not findings:
            continue
        lines.append(f"{meaning}\n", style="bold")
        for finding in findings:
            row = finding.row
            lines.append(f"  {row.paper}, table {row.table}, {row.dataset}: {row.model}\n")
            for message in finding.messages:
                lines.append(f"      {message}\n", style="dim")
    papers: dict[str, list[str]] = {}
    for finding in found.findings:
        papers.setdefault(finding.row.paper, []).append(finding.kind)
    lines.append(
        f"{len(found.rows)} rows, {len(found.rows) - len(found.unchecked)} of them with figures "
        "that bind each other\n",
        style="bold",
    )
    for paper, kinds in papers.items():
        counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in AUDIT_KINDS if kind in kinds)
        lines.append(f"  {paper}: {counts}\n")
    return lines


def audit_json(found: Audit) -> dict[str, Any]:
    """The findings as JSON-able data."""
    return {
        "rows": len(found.rows),
        "unchecked": len(found.unchecked),
        "findings": [
            {
                "kind": finding.kind,
                "messages": list(finding.messages),
                "paper": finding.row.paper,
                "table": finding.row.table,
                "dataset": finding.row.dataset,
                "protocol": finding.row.protocol,
                "model": finding.row.model,
                "metrics": dict(finding.row.metrics),
            }
            for finding in found.findings
        ],
    }


@contextlib.contextmanager
def show_status(console: Console, text: str) -> Iterator[Callable[[str], None]]:
    """A spinner on a terminal, silence elsewhere; yields a function that changes its text."""
    if not console.is_terminal:
        yield lambda text: None
        return
    with console.status(text) as status:
        yield status.update
