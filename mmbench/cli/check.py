"""``mmbench check``: the conformance checks at the command line."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mmbench.cli import completion
from mmbench.cli.options import Device, Json
from mmbench.cli.quantities import seconds


def check(
    model: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A model, module:Class on the path, or ./file.py:Class.",
            autocompletion=completion.models,
        ),
    ],
    preset: Annotated[str, typer.Option(help="tiny (else paper), small, paper, or auto.")] = "tiny",
    setting: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Repeatable.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="contract, honesty, sense, or one check by name.")
    ] = None,
    device: Device = "auto",
    timeout: Annotated[str, typer.Option(help="Time limit of each small cell: 90s, 30m.")] = "10m",
    as_json: Json = False,
) -> None:
    """Check that a model keeps the contract, is honest, and makes sense, on small worlds.

    \b
    Examples:
      mmbench check sasrec
      mmbench check my_package.model:MyModel --set dim=16
      mmbench check ./mine.py:MyModel
      mmbench check sasrec --only honesty --json
    """
    from mmbench.check import CHECKS, Lab, find_subject, judge_all, select
    from mmbench.check.contract import DECLARED
    from mmbench.cli.screen import make_console, show_status, verdict_json, verdict_line
    from mmbench.grid.family import Limits
    from mmbench.grid.registry import parse_setting

    overrides = dict(parse_setting(text) for text in setting or [])
    chosen = select(CHECKS, only)
    console = make_console(stderr=as_json)
    verdicts, broken = [], False
    with show_status(console, f"checking {model}") as status:
        lab = Lab(
            find_subject(model, preset, overrides), limits=Limits(seconds(timeout)), say=status
        )
        for verdict in judge_all(lab, chosen, CHECKS):
            verdicts.append(verdict)
            if not broken:
                console.print(verdict_line(verdict), soft_wrap=True)
            broken = broken or (verdict.bad and verdict.check in DECLARED)
    bad = sum(verdict.bad for verdict in verdicts)
    if as_json:
        print(json.dumps([verdict_json(verdict) for verdict in verdicts], indent=1))
    elif broken:
        console.print(f"mend this first: the other {len(verdicts) - 1} checks need the class")
    else:
        console.print(f"{len(verdicts)} checks, {bad} to mend")
    if bad:
        raise typer.Exit(1)
