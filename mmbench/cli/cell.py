"""``mmbench cell``: one cell of a plan, wherever a scheduler starts it."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

AGAIN = 75  # exit code: not ended, run it again (EX_TEMPFAIL)


def cell(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A cell's id, as the plan has it.")],
    plan: Annotated[Path, typer.Option("--plan", "-p", help="The file with the plan.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The folder of results that all workers share.")
    ] = Path("results"),
) -> None:
    """Run one cell of a plan that mmbench run --write-plan, or an executor, has written.

    Model and data are found by name on this machine; where they are not what was planned, the cell
    is refused and nothing is stored. A cell that another worker has is waited for, and one that is
    stored is not run again. SIGTERM, SIGUSR1 and SIGUSR2, by which schedulers tell of preemption
    and of the end of the time, give the cell back.

    Exit code 0: the cell is done or does not apply. 1: it failed, and that is stored. 2: refused.
    75: given back, to be run again. 130: interrupted.

    \b
    Examples:
      mmbench run -m pop,itemknn -d demo --write-plan plan.json
      mmbench cell 1f0c5e2a9b34 --plan plan.json --out results
    """
    from mmbench.cli.screen import GridProgress, make_console
    from mmbench.cluster.plan_file import read_plan
    from mmbench.cluster.worker import run_key
    from mmbench.data.places import cache_home
    from mmbench.grid.host import Interrupted
    from mmbench.grid.runner import Circumstances
    from mmbench.problems import Stop
    from mmbench.results.claim import Preempted
    from mmbench.results.publish import Outrun

    def leave(number: int, frame: FrameType | None) -> None:
        raise Preempted

    for name in ("SIGTERM", "SIGUSR1", "SIGUSR2"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), leave)
    console, how = make_console(), Circumstances(cache=cache_home())
    found = read_plan(plan)
    try:
        with GridProgress(console, 1) as bars:
            record = run_key(found, key, out, bars, how)
    except Preempted:
        console.print("given back: the scheduler wants the machine; run it again")
        raise typer.Exit(AGAIN) from None
    except Outrun as error:
        console.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(AGAIN) from None
    except (Stop, Interrupted):
        console.print("interrupted: nothing is stored of the cell")
        raise typer.Exit(130) from None
    if record.status.traceback:
        console.print(record.status.traceback, markup=False, soft_wrap=True)
    if record.status.kind not in ("done", "not-applicable"):
        raise typer.Exit(1)
