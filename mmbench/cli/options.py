"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmbench.cli import completion


def _use_device(context: typer.Context, word: str) -> str:
    """Hide the GPUs that the command shall not use, as long as it runs."""
    from mmbench.grid.devices import using_device

    if word != "auto":
        context.with_resource(using_device(word))
    return word


Device = Annotated[
    str,
    typer.Option(
        help="auto: a CUDA GPU where there is one; cpu, cuda, cuda:1 or cuda:0,2.",
        callback=_use_device,
        autocompletion=completion.devices,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else there.")]
Results = Annotated[Path, typer.Option("--results", "-r", help="A folder of results.")]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        "-d",
        help="Only this dataset (an id or an alias).",
        autocompletion=completion.data,
    ),
]
