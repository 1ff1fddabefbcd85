"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmbench.cli import completion

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
