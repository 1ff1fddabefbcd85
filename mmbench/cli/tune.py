"""``mmbench tune``: search a model's settings on the validation fold."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmbench.cli import completion
from mmbench.cli.options import Device, Json
from mmbench.cli.quantities import bytes_of, seconds
from mmbench.cli.supply import Supply, Wishes
from mmbench.problems import Stop

if TYPE_CHECKING:
    from mmbench.tune.study import Outcome, Trial


def tune(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="As mmbench run takes it.", autocompletion=completion.models
        ),
    ],
    data: Annotated[
        str,
        typer.Option("--data", "-d", help="One dataset.", autocompletion=completion.data),
    ],
    space: Annotated[
        str,
        typer.Option(
            help="What is tried: a file.toml, or the name of a space that comes with mmbench.",
            autocompletion=completion.spaces,
        ),
    ],
    trials: Annotated[int, typer.Option(min=1, help="How many, earlier ones included.")] = 20,
    sampler: Annotated[
        str, typer.Option(help="grid, tpe, random, or auto: grid where it fits the trials.")
    ] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Of the model and the sampler.")] = 0,
    protocol: Annotated[
        str, typer.Option(help="See: mmbench ls protocols.", autocompletion=completion.protocols)
    ] = "",
    preset: Annotated[
        str, typer.Option(help="paper, small, tiny or auto.", autocompletion=completion.presets)
    ] = "auto",
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="MODEL.KEY=VALUE",
            help="Held in every trial. Repeatable.",
            autocompletion=completion.settings,
        ),
    ] = None,
    device: Device = "auto",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many users, for a quicker search.")
    ] = None,
    timeout: Annotated[str | None, typer.Option(help="Time limit of a trial: 90s, 30m.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory limit of a trial: 8G.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where searches are kept.")] = Path(
        "tuning"
    ),
    no_fetch: Annotated[bool, typer.Option("--no-fetch", help="Fetch no data.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Agree to licences of what is fetched.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Search a model's settings by their ndcg@10 on the validation fold, with Optuna.

    No test figure is computed: trials are fitted and validated, and nothing else. What was found
    stands in tuned.toml, which mmbench run takes; its rows then tell what the search cost. The same
    command goes on where a search was left. Needs mmbench[tune].

    Exit code 0: some trial has a figure. 1: none has. 130: interrupted; what ended is kept.

    \b
    Examples:
      mmbench tune lrurec -d beauty --space prime --trials 6
      mmbench tune sasrec-ce -d ./my-shop --space mine.toml --trials 30 --limit 5000
      mmbench run tuning/lrurec-amazon2014-beauty-0123456789ab/tuned.toml --seeds 3
      mmbench run -m lrurec,pop -d beauty --tuned tuning/.../tuned.toml
    """
    from mmbench.cli.screen import make_console
    from mmbench.cli.status import spinning
    from mmbench.data.places import cache_home
    from mmbench.grid.family import Limits
    from mmbench.grid.host import Interrupted
    from mmbench.grid.question import split_parts
    from mmbench.grid.registry import split_list, spread
    from mmbench.grid.runner import Circumstances
    from mmbench.grid.unpackaged import locate
    from mmbench.results.store import demand_writable
    from mmbench.tune.space import find_space
    from mmbench.tune.study import Search, search

    if len(spread(model)) > 1 or len(split_list(model)) > 1:
        raise typer.BadParameter("one model is tuned at a time", param_hint="MODEL")
    if len(split_parts(data)) > 1 or len(split_list(data)) > 1:
        raise typer.BadParameter("a search is on one dataset", param_hint="--data")
    what = Search(
        *(model, data, find_space(space, locate(model).name), trials, sampler, seed),
        *(protocol, preset, limit, tuple(setting or ())),
    )
    demand_writable(out)
    console = make_console(stderr=as_json)
    how = Circumstances(limits=Limits(seconds(timeout), bytes_of(memory)), cache=cache_home())

    def told(trial: Trial, outcome: Outcome) -> None:
        console.print(trial_line(trial, outcome, trials), markup=False, soft_wrap=True)

    try:
        with spinning(console, "reading the search") as status:
            supply = Supply([data], Wishes(fetch=not no_fetch, yes=yes), status)
            outcome = search(
                *(what, out, how),
                load=supply.load,
                ready=supply.ready,
                say=status,
                on_trial=told,
                on_event=lambda event: _progress(status, event),
            )
    except (Stop, Interrupted):
        console.print("interrupted: what ended is kept; the same command goes on from here")
        raise typer.Exit(130) from None
    if as_json:
        print(json.dumps(outcome_json(outcome), indent=1))
    else:
        for line in outcome_lines(outcome):
            console.print(line, markup=False, soft_wrap=True)
    if outcome.best is None:
        raise typer.Exit(1)


def _progress(status: Any, event: dict[str, Any]) -> None:
    if event.get("event") == "progress":
        status.count(int(event["done"]), int(event["total"]), str(event["unit"]))


def trial_line(trial: Trial, outcome: Outcome, trials: int) -> str:
    """How a trial ended, and the best so far."""
    from mmbench.report.words import duration

    settings = ", ".join(f"{name}={value}" for name, value in trial.settings.items())
    head = f"trial {len(outcome.trials)} of {trials}  {duration(trial.seconds)}  {settings}"
    if trial.value is None:
        return f"{head}  failed: {trial.problem}"
    best = outcome.best.value if outcome.best else trial.value
    return f"{head}  validation ndcg@10 {trial.value:.4f}, best {best:.4f}"


def outcome_lines(outcome: Outcome) -> list[str]:
    """What was found, and what to type next."""
    if outcome.best is None:
        return [f"no trial has a figure; they are kept in {outcome.folder}"]
    best = outcome.best
    settings = ", ".join(f"{name}={value}" for name, value in best.settings.items())
    count = f"{best.trials + best.failed} trials" + (f", {best.failed} failed" * bool(best.failed))
    return [
        f"{count}; the best by validation ndcg@10, {best.value:.4f}: {settings}",
        f"Run it with: mmbench run {outcome.file} --seeds 3",
    ]


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """The same as JSON-able data."""
    return {
        "study": outcome.study,
        "folder": str(outcome.folder),
        "best": outcome.best.model_dump(mode="json") if outcome.best else None,
        "file": str(outcome.file) if outcome.best else None,
        "trials": [asdict(trial) for trial in outcome.trials],
    }
