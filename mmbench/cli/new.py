"""``mmbench new``: start a package of one's own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmbench.cli import completion

if TYPE_CHECKING:
    from mmbench.scaffold import Kind

new_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Start a package of your own: a model, a dataset or an observer.",
)

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="As users will type it: small letters, digits, - and _."),
]
Parent = Annotated[Path, typer.Option("--dir", help="Where the package's folder is made.")]


@new_app.command("model")
def new_model(
    name: Name,
    sort: Annotated[
        str,
        typer.Option(
            "--kind",
            help="counts, torch, embedding, reranker or vlm: what the sample model is.",
            autocompletion=completion.kinds,
        ),
    ] = "counts",
    parent: Parent = Path(),
) -> None:
    """Write mmbench-NAME/: a small real model, its tests, README and workflow.

    counts: what followed what, without training. torch: a network that trains in epochs. embedding:
    vectors of items and histories, and the harness multiplies. reranker: asked once for each
    candidate set. vlm: on a vision-language model, needs mmbench[vlm].

    \b
    Examples:
      mmbench new model afterglow
      mmbench new model fast-taste --kind torch --dir ~/code
    """
    _new("model", name, parent, sort)


@new_app.command("dataset")
def new_dataset(name: Name, parent: Parent = Path()) -> None:
    """Write mmbench-NAME/: a small bundled dataset, how it is read, its tests and README.

    A folder of tables needs no package: see mmbench data import.

    \b
    Examples:
      mmbench new dataset tea-shop
    """
    _new("dataset", name, parent)


@new_app.command("observer")
def new_observer(name: Name, parent: Parent = Path()) -> None:
    """Write mmbench-NAME/: an observer that keeps a journal of cells, its tests and README.

    \b
    Examples:
      mmbench new observer diary
    """
    _new("observer", name, parent)


def _new(kind: Kind, name: str, parent: Path, sort: str = "counts") -> None:
    from mmbench import scaffold

    folder, files = scaffold.make_package(kind, name, parent, sort)
    names = scaffold.make_names(name, kind)
    for clash in scaffold.clashes(names, kind):
        print(f"warning: {clash}", file=sys.stderr)
    print(f"made {folder}")
    for file in files:
        print(f"  {file}")
    print("next:")
    for command in scaffold.next_commands(kind, names, folder):
        print(f"  {command}")
