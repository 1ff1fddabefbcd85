"""``mmbench run`` and ``mmbench demo``: from flags to a plan, cells and a board."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmbench.cli import completion
from mmbench.cli.options import Device, Json
from mmbench.cli.quantities import bytes_of, seconds
from mmbench.cli.sending import Sending, executors
from mmbench.cli.supply import Supply, Wishes
from mmbench.problems import Stop

if TYPE_CHECKING:
    from mmbench.cluster.send import Executor
    from mmbench.grid.asked import Grid
    from mmbench.grid.execute import Finished
    from mmbench.grid.observers import Watchers
    from mmbench.grid.plan import Planned

LONG = 2 * 3600.0  # seconds that are asked about

Out = Annotated[Path, typer.Option("--out", "-o", help="Where results are stored.")]

# popularity, counting, and a network twice: without and with the items' titles and pictures
DEMO = "pop,markov,gru4rec-ce[epochs=10],gru4rec-ce[epochs=10,init=hybrid/counts,init_frozen=false]"


def run(
    grid_file: Annotated[
        Path | None, typer.Argument(metavar="[GRID.toml]", help="A grid file; flags override it.")
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(
            "--models",
            "-m",
            help="Names, comma-separated; or ./file.py:Class of your own, not packaged yet.",
            autocompletion=completion.models,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "-d",
            help="Ids, aliases or folders, comma-separated; a+b fits on both together.",
            autocompletion=completion.data,
        ),
    ] = None,
    fit_on: Annotated[
        str | None,
        typer.Option(
            "--fit-on",
            help="Fit on this dataset instead, and ask on those of --data.",
            autocompletion=completion.data,
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="See: mmbench ls protocols; or a file of your own, mine.toml.",
            autocompletion=completion.protocols,
        ),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="A count (3 means 0,1,2) or a list (0,7).")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="paper, small, tiny, or auto: the first of them that can run here.",
            autocompletion=completion.presets,
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="MODEL.KEY=VALUE",
            help="Repeatable.",
            autocompletion=completion.settings,
        ),
    ] = None,
    tuned: Annotated[
        list[Path] | None,
        typer.Option("--tuned", help="Settings that mmbench tune found: tuned.toml. Repeatable."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many users: a smoke run, and marked so.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Cells side by side.")] = 1,
    device: Device = "auto",
    gpus_per_cell: Annotated[
        float | None,
        typer.Option(min=0, help="GPUs that a cell leases; 0.5: two cells share one."),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1, help="That fit a model together, each with a GPU, where the model can be."
        ),
    ] = None,
    out: Out = Path("results"),
    overwrite: Annotated[
        str, typer.Option(help="Run again what is stored: never, failed, or always.")
    ] = "failed",
    keep_stale: Annotated[
        bool,
        typer.Option("--keep-stale", help="Serve what other code of a model left, and mark it so."),
    ] = False,
    keep_fit: Annotated[
        bool,
        typer.Option(
            "--keep-fit", help="Keep what models learn beside their results, for mmbench recommend."
        ),
    ] = False,
    executor: Annotated[
        str, typer.Option(help="Where cells run: local, ray or slurm.", autocompletion=executors)
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(help="Ray's head, as host:6379, or auto; without it Ray starts here."),
    ] = None,
    slurm: Annotated[
        str, typer.Option(metavar="KEY=VALUE,...", help="For sbatch: partition=gpu,time=2:00:00.")
    ] = "",
    timeout: Annotated[str | None, typer.Option(help="Time limit of a cell: 90s, 30m, 2h.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory limit of a cell: 800M, 8G.")] = None,
    observer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:KEY=VALUE,...]",
            help="An observer plugin to tell. Repeatable.",
            autocompletion=completion.observers,
        ),
    ] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Tell observers of stored cells as of new ones.")
    ] = False,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="For debuggers: no child process, no limits.")
    ] = False,
    images: Annotated[
        bool, typer.Option("--images", help="Photographs for data without pictures: fetch them.")
    ] = False,
    draw: Annotated[
        bool, typer.Option("--draw", help="Drawn cards for data without pictures, marked so.")
    ] = False,
    no_fetch: Annotated[
        bool, typer.Option("--no-fetch", help="Fetch no data; stop where some is not here.")
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            "-y",
            help="Start, though it is known to take hours; agree to licences of what is fetched.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    write_plan: Annotated[
        Path | None,
        typer.Option(
            "--write-plan", metavar="FILE", help="Write the plan for mmbench cell and stop."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run models on datasets; finished cells are not run again, unless a model's code changed.

    A known dataset that is not here is fetched, after a word on sizes and licences; only the parts
    that the models need.

    Exit code 0: every cell is done or does not apply, and some are done. 1: a cell failed, or there
    was none that applies. 2: what was asked for cannot be. 130: interrupted.

    \b
    Examples:
      mmbench run --models pop,itemknn --data demo
      mmbench run -m sasrec -d beauty,sports --seeds 3 --jobs 2
      mmbench run -m vlm2rec --fit-on sports -d beauty
      mmbench run -m sasrec-ce -d beauty --seeds 4 --jobs 4 --device cuda:0,1
      mmbench run -m pop,vlm2rec -d beauty+sports
      mmbench run -m pop,pixrec -d beauty --draw --yes
      mmbench run -m ./mine.py:MyModel,pop -d demo
      mmbench run -m 'sasrec,recbole:NARM' -d ./my-shop --set sasrec.dim=128
      mmbench run -m 'sasrec-ce[dim=32|64,layers=1|2]' -d demo
      mmbench run -m pop -d demo --observer jsonl:path=cells.jsonl
      mmbench run -m markov,sasrec-ce -d demo --keep-fit
      mmbench run grid.toml --dry-run
      mmbench run grid.toml --executor ray --address auto --gpus-per-cell 0.5
      mmbench run grid.toml --executor slurm --slurm partition=gpu,time=2:00:00
      mmbench run grid.toml --write-plan plan.json
    """
    from mmbench.grid.asked import make_grid
    from mmbench.grid.devices import make_slots, say_slots
    from mmbench.grid.observer_options import merge, parse_observers
    from mmbench.grid.observers import Watchers

    grid = make_grid(
        grid_file,
        models=models,
        data=data,
        fit_on=fit_on,
        protocol=protocol,
        seeds=seeds,
        preset=preset,
        limit=limit,
        processes=processes,
        settings=setting or [],
        tuned=tuned or (),
    )
    if gpus_per_cell is None and grid.processes > 1:
        gpus_per_cell = float(grid.processes)
    sending = Sending(executor, address, slurm, gpus_per_cell, write_plan)
    sending.demand(in_process=in_process, keep_fit=keep_fit)
    if images and draw:
        raise typer.BadParameter("--images or --draw, not both")
    limits = (seconds(timeout), bytes_of(memory))
    slots, each = jobs, 1.0 if gpus_per_cell is None else gpus_per_cell
    if executor == "local":
        slots = len(make_slots(jobs, each))
        if fewer := say_slots(jobs, slots, each):
            print(fewer, file=sys.stderr)
    wanted = merge(grid.observers, parse_observers(observer or []))
    # a cluster comes up while the plan is made
    there: contextlib.AbstractContextManager[Executor | None] = (
        contextlib.nullcontext() if dry_run or write_plan else sending.opened(slots)
    )
    with Watchers(wanted, replay=replay) as watchers, there as sent:
        finished = _run_grid(
            grid,
            out,
            slots,
            each,
            overwrite,
            limits,
            watchers,
            in_process=in_process,
            keep_stale=keep_stale,
            keep_fit=keep_fit,
            wishes=Wishes(
                "drawn" if draw else "photographs" if images else "", not no_fetch, yes, dry_run
            ),
            sending=sending,
            sent=sent,
            as_json=as_json,
        )
    if dry_run or write_plan:
        return
    _show_finished(finished, out, as_json)
    kinds = {done.record.status.kind if done.record else "broken" for done in finished}
    if "done" not in kinds or kinds - {"done", "not-applicable"}:
        raise typer.Exit(1)


def demo(out: Out = Path("results"), as_json: Json = False) -> None:
    """Run a few models on a made-up shop and print the board.

    What follows what tells more than popularity. The network is there twice, trained for ten
    epochs: as it is, and with item vectors that start from titles and pictures, as the model hybrid
    makes them by counting words and colours.

    \b
    Examples:
      mmbench demo
      mmbench demo --out /tmp/results
    """
    run(models=DEMO, data="demo", out=out, as_json=as_json)


def _run_grid(
    grid: Grid,
    out: Path,
    jobs: int,
    gpus_per_cell: float,
    overwrite: str,
    limits: tuple[float | None, int | None],
    watchers: Watchers,
    *,
    in_process: bool,
    keep_stale: bool,
    keep_fit: bool,
    wishes: Wishes,
    sending: Sending,
    sent: Executor | None,
    as_json: bool,
) -> list[Finished]:
    """Plan, show the plan and, unless it is a dry run, carry it out."""
    from mmbench import running
    from mmbench.cli.screen import SHORT, GridProgress, make_console, plan_lines
    from mmbench.cli.status import spinning
    from mmbench.grid.estimate import total
    from mmbench.grid.execute import demand_overwrite, due
    from mmbench.grid.family import Limits
    from mmbench.grid.host import Interrupted
    from mmbench.grid.registry import UsageError
    from mmbench.report.words import duration
    from mmbench.results.store import demand_writable

    demand_overwrite(overwrite)
    console = make_console(stderr=as_json)
    dry_run = wishes.plan_only
    if not dry_run and sending.write_plan is None:
        demand_writable(out)
    with spinning(console, "reading the plan") as status:
        supply = Supply(_datasets(grid), wishes, status)
        rows = running.plan_grid(
            grid,
            out,
            load=supply.load,
            ready=supply.ready,
            isolated=not in_process,
            keep_stale=keep_stale,
            download=not dry_run,
            say=status,
        )
    working = due(rows, overwrite, out, keep_fit=keep_fit)
    if dry_run and as_json:
        print(json.dumps([_plan_json(row) for row in rows], indent=1))
        return []
    for line in plan_lines(rows, working, chosen=grid.preset == "auto"):
        console.print(line, soft_wrap=isinstance(line, str))
    if dry_run:
        return []
    if sending.write_plan is not None:
        told = sending.write(rows, out, grid.protocol, overwrite, Limits(*limits))
        console.print(told, markup=False, soft_wrap=True)
        return []
    to_run = [row for row in working if not row.inapplicable]
    long = total([row.seconds for row in to_run], jobs)
    here = "" if sending.executor == "local" else " one after another"
    told = f", about {duration(long)}{here}" if long >= SHORT else ""
    console.print(f"{len(to_run)} of {len(rows)} cells to run{told}; results in {out}\n")
    if long > LONG and not wishes.yes and sending.executor == "local":
        raise UsageError(
            f"this takes about {duration(long)}: add --yes to start it (what is finished is kept, "
            "so it can be stopped at any time), --limit for fewer users, or --jobs for more at once"
        )
    try:
        with GridProgress(console, len(working)) as bars:
            return running.carry_out(
                rows,
                out,
                jobs=jobs,
                gpus_per_cell=gpus_per_cell,
                overwrite=overwrite,
                limits=Limits(*limits),
                isolated=not in_process,
                watching=bars,
                observers=watchers,
                executor=sent,
                keep_fit=keep_fit,
                protocol=grid.protocol,
            )
    except (Stop, Interrupted):
        console.print("interrupted: finished cells are stored; the same command goes on from here")
        raise typer.Exit(130) from None


def _datasets(grid: Grid) -> list[str]:
    """Every dataset that a grid names."""
    from mmbench.grid.question import split_parts

    named = [*grid.data, *([grid.fit_on] if grid.fit_on else [])]
    return list(dict.fromkeys(part for name in named for part in split_parts(name)))


def _show_finished(finished: list[Finished], out: Path, as_json: bool) -> None:
    from rich.markup import escape

    from mmbench import api
    from mmbench.cli.boards import print_boards
    from mmbench.cli.screen import cell_name, make_console

    if as_json:
        shown = [
            done.record.to_json() if done.record else _plan_json(done.row) for done in finished
        ]
        print(json.dumps(shown, indent=1, allow_nan=False))
        return
    results = api.results_of(finished, out)
    if not results.reading.records:
        return
    console = make_console()
    for done in finished:
        if done.ran and done.record and done.record.status.traceback:
            console.rule(escape(cell_name(done.row)))
            last = done.record.status.traceback.strip().splitlines()[-15:]
            console.print("\n".join(last), markup=False)
    print_boards(results.reading, as_json=False, stale=results.stale)
    console.print(f"Write the boards with: mmbench leaderboard {out} -o boards")


def _plan_json(row: Planned) -> dict[str, Any]:
    return {
        "label": row.label,
        "dataset": row.dataset,
        "seed": row.seed,
        "state": row.state,
        "problem": row.problem,
        "inapplicable": row.inapplicable,
        "stale": row.stale.cell.to_json() if row.stale else None,
        "kept": row.kept,
        "seconds": row.seconds,
        "preset": row.job.preset if row.job else None,
        "cell": row.job.cell.to_json() if row.job else None,
    }
