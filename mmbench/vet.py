"""Is a result from elsewhere what it says? For rows that others send to a published board."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from mmbench.audit import violations
from mmbench.problems import UserError
from mmbench.protocol.metrics import HEADLINE
from mmbench.report import unpublishable
from mmbench.results.cell import differences
from mmbench.results.ranks import EQUAL, GREATER
from mmbench.results.read import Reading
from mmbench.results.record import UNSEALED, Record

if TYPE_CHECKING:
    import pyarrow as pa

    from mmbench.grid.plan import Planned

Say = Callable[[str], None]
State = Literal["passed", "failed", "skipped"]
FAR = 3.0  # standard errors that a cell made again may lie away: one in 370 does by chance


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of one result, ``of`` as in ``pop on beauty, seed 0``, and what came of it."""

    of: str
    check: str
    state: State
    told: str = ""


def vet(
    reading: Reading,
    *,
    again: int = 1,
    each_plugin: bool = False,
    within: float = math.inf,
    say: Say = lambda text: None,
) -> list[Finding]:
    """Check every result of a folder, and make the cheapest ones again.

    - ``reads``: schema, seal, and ranks that are those of the record.
    - ``publishable``: a whole run of committed code behind the wall, finished.
    - ``possible``: figures that a ranking can have.
    - ``same cell``: this installation, asked for the same, would make the cell: code, settings,
      data and protocol are equal. Skipped where the model or the data are not here.
    - ``again``: of the cells that could be made here, the ``again`` cheapest are, and their ranks
      are held against those that came: equal, or ``ndcg@10`` of the first candidate set within
      three standard errors of the difference by users. With ``each_plugin`` the cheapest of each
      plugin are, and a plugin none of whose cells could be made is skipped by name. Cells that
      took more than ``within`` seconds are left out.
    """
    findings = [Finding(one.path, "reads", "failed", one.reason) for one in reading.problems]
    with tempfile.TemporaryDirectory() as folder:
        here: list[tuple[Record, list[Planned]]] = []
        for record in reading.records:
            name = _name(record)
            findings += [Finding(name, check, *found) for check, found in _look(record)]
            say(f"looking at {name}")
            rows, state, told = _find(record, Path(folder))
            findings.append(Finding(name, "same cell", state, told))
            if state == "passed" and record.done and record.seconds <= within:
                here.append((record, rows))
        here.sort(key=lambda pair: pair[0].seconds)
        made: Counter[str] = Counter()
        for record, rows in here:
            plugin = record.cell.distribution if each_plugin else ""
            if made[plugin] == again:
                continue
            made[plugin] += 1
            say(f"making {_name(record)} again, which took {record.seconds:.0f} s")
            findings.append(_make_again(reading, record, rows, Path(folder)))
    if each_plugin and again:
        limit = f" within {within:.0f} s" if within < math.inf else ""
        every = {record.cell.distribution for record in reading.records}
        findings += [
            Finding(plugin, "again", "skipped", "none of its cells can be made here" + limit)
            for plugin in sorted(every - set(made))
        ]
    return findings


def _name(record: Record) -> str:
    return f"{record.label} on {record.cell.dataset}, seed {record.cell.seed}"


def _look(record: Record) -> Iterable[tuple[str, tuple[State, str]]]:
    """What the record alone tells."""
    problems = unpublishable(record)
    if not record.done:
        problems.append(f"{record.status.kind}: {record.status.reason}")
    elif not record.wall.startswith("landlock"):
        problems.append(f"its wall was {record.wall}, not Landlock")
    if not record.seal or record.ranks_sha256 == UNSEALED:
        problems.append("it has no seal: stored by an earlier version")
    yield "publishable", _judge(problems)
    yield (
        "possible",
        _judge([text for figures in record.metrics.values() for text in violations(figures)]),
    )


def _judge(problems: list[str]) -> tuple[State, str]:
    return ("failed", "; ".join(problems)) if problems else ("passed", "")


def _find(record: Record, out: Path) -> tuple[list[Planned], State, str]:
    """What would be run for the same cell on this installation, and whether it is the same."""
    from mmbench.grid.asked import make_grid, write_setting
    from mmbench.running import plan_grid

    cell = record.cell
    if cell.protocol.startswith("local:"):
        return [], "skipped", "a protocol of the contributor's own"
    name = cell.model.partition(":")[0]
    together = "+".join(one.dataset for one in cell.together or ())
    try:
        grid = make_grid(
            models=[cell.model],
            data=[together or cell.dataset],
            seeds=[cell.seed],
            protocol=cell.protocol,
            limit=cell.limit,
            fit_on=cell.fit_on.dataset if cell.fit_on else None,
            settings=[write_setting(f"{name}.{key}", value) for key, value in cell.config.items()],
        )
        rows = plan_grid(grid, out, download=False)
    except UserError as error:
        return [], "skipped", f"not here: {error}"
    jobs = [row.job for row in rows if row.job]
    if any(job.cell.id == cell.id for job in jobs):
        return rows, "passed", ""
    if not jobs:
        return [], "skipped", f"not here: {'; '.join(row.problem for row in rows)}"
    told = [
        f"{name} is {made!r} here and was {sent!r}"
        for name, made, sent in differences(jobs[-1].cell.to_json(), cell.to_json())
    ]
    return [], "failed", "another cell: " + "; ".join(told)


def _make_again(reading: Reading, record: Record, rows: list[Planned], out: Path) -> Finding:
    from mmbench.api import results_of
    from mmbench.running import carry_out

    found = results_of(carry_out(rows, out), out).reading
    made = {one.cell.id: one for one in found.records}.get(record.cell.id)
    if made is None or not made.done:
        why = made.status.reason if made else "; ".join(one.reason for one in found.problems)
        return Finding(_name(record), "again", "failed", f"it does not run here: {why}")
    return Finding(_name(record), "again", *hold(reading.ranks(record), found.ranks(made)))


def hold(sent: pa.Table, made: pa.Table) -> tuple[State, str]:
    """Hold the ranks that came against those that were made here, query by query."""
    if sent.num_rows != made.num_rows or sent["user"].to_pylist() != made["user"].to_pylist():
        return "failed", "it asked other queries"
    names = [name for name in made.column_names if name.startswith((GREATER, EQUAL))]
    pairs = [(sent[name].to_numpy(), made[name].to_numpy()) for name in names]
    equal = float(np.mean([np.mean(a == b) for a, b in pairs]))
    if equal == 1.0:
        return "passed", "every rank is equal"
    first = names[0].removeprefix(GREATER)
    differences = _figures(made, first) - _figures(sent, first)
    mean = float(differences.mean())
    error = float(differences.std(ddof=1) / np.sqrt(len(differences)))
    told = (
        f"{equal:.1%} of ranks are equal; {HEADLINE} {first} differs by {mean:+.4f}, "
        f"standard error {error:.4f}"
    )
    return ("passed" if abs(mean) <= FAR * error else "failed"), told


def _figures(ranks: pa.Table, candidates: str) -> np.ndarray:
    from mmbench.protocol.metrics import per_query

    return per_query(
        HEADLINE,
        ranks[f"{GREATER}{candidates}"].to_numpy(),
        ranks[f"{EQUAL}{candidates}"].to_numpy(),
    )
