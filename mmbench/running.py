"""A grid from what is asked for to its end: what the command line and the Python API both call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmbench.cluster.send import Executor
    from mmbench.data.log import Log
    from mmbench.grid.asked import Grid
    from mmbench.grid.execute import Finished, Observer
    from mmbench.grid.observers import Watchers
    from mmbench.grid.plan import Planned


def plan_grid(
    grid: Grid,
    out: Path,
    *,
    load: Callable[[str], Log] | None = None,
    ready: Callable[[frozenset[str]], None] = lambda needs: None,
    isolated: bool = True,
    keep_stale: bool = False,
    download: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> list[Planned]:
    """The cells of a grid, and what is stored of them; see ``make_plan``.

    ``load`` prepares a dataset by name, as ``mmbench.data.load`` does by default.
    """
    from mmbench import data
    from mmbench.grid.plan import make_plan

    return make_plan(
        grid,
        out,
        load=load or data.load,
        ready=ready,
        isolated=isolated,
        keep_stale=keep_stale,
        download=download,
        say=say,
    )


def carry_out(
    rows: Sequence[Planned],
    out: Path,
    *,
    jobs: int = 1,
    gpus_per_cell: float = 1.0,
    overwrite: str = "failed",
    limits: Any = None,
    isolated: bool = True,
    watching: Observer | None = None,
    observers: Watchers | Sequence[str] = (),
    executor: Executor | None = None,
    keep_fit: bool = False,
    protocol: str = "",
    say: Callable[[str], None] = lambda text: None,
) -> list[Finished]:
    """Run what is due of a plan and store it. Raises Interrupted, UsageError, OSError.

    Cells run on this machine, ``jobs`` side by side, or where an ``executor`` sends them; that
    wants the file of a local ``protocol``. With ``keep_fit``, which wants cells to run here, what
    models learn is kept beside their results.
    """
    from mmbench.cluster.send import send
    from mmbench.data.places import cache_home
    from mmbench.grid.execute import demand_overwrite, due, execute
    from mmbench.grid.family import Limits
    from mmbench.grid.observers import Narrator, Observers
    from mmbench.grid.runner import Circumstances

    demand_overwrite(overwrite)
    how = Circumstances(
        isolated=isolated,
        limits=limits or Limits(),
        cache=cache_home(),
        gpus_per_cell=gpus_per_cell,
        keep_fit=keep_fit,
    )
    first = watching if watching is not None else Narrator(say)
    told = Observers(first, observers)
    with told.told_of_run(rows, due(rows, overwrite, out, keep_fit=keep_fit), out):
        if executor is not None:
            return send(rows, out, how, told, executor, protocol=protocol, overwrite=overwrite)
        return execute(rows, out, how, told, jobs=jobs, overwrite=overwrite)
