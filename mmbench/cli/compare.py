"""``mmbench compare``: the difference of two rows, and how sure it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from mmbench.cli.options import Data, Json, Results


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A row: its name, model, or a cell's id.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The row that A is held against.")],
    results: Results = Path("results"),
    data: Data = None,
    protocol: Annotated[str | None, typer.Option(help="Only this protocol.")] = None,
    candidates: Annotated[
        str, typer.Option("--set", help="The candidate set; see: mmbench ls protocols.")
    ] = "unseen",
    metric: Annotated[str, typer.Option(help="hit@k, ndcg@k, mrr@k or mrr.")] = "ndcg@10",
    margin: Annotated[
        str, typer.Option(help="Within what share of B's figure A counts as equivalent.")
    ] = "1%",
    across: Annotated[
        bool,
        typer.Option(
            "--across", help="Let A and B answer different questions: --data a,b; --protocol a,b."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Tell how far A differs from B, from the stored ranks of every user and seed.

    The interval holds for other users and other seeds. Where a row has one seed, its seed noise is
    unknown, and the output says so.

    \b
    Examples:
      mmbench compare sasrec-ce gru4rec-ce -d beauty
      mmbench compare 3fa9c1d2 77ab01cd --set full --metric hit@10 --margin 2%
      mmbench compare pop pop --across --protocol loo@2,loo@1
    """
    from mmbench import report
    from mmbench.cli.boards import choose_boards, left_out, left_out_json, read_folder
    from mmbench.cli.screen import make_console

    share = parse_share(margin)
    datasets, protocols = _two(data, across), _two(protocol, across)
    reading = read_folder(results)
    boards = report.make_boards(reading.records)
    chosen = [choose_boards(boards, *wanted) for wanted in zip(datasets, protocols, strict=True)]
    pair = report.choose_rows(chosen[0], chosen[1], a, b, across=across)
    found = report.contrast(
        reading, boards, *pair, candidates=candidates, metric=metric, margin=share
    )
    if as_json:
        told = {**report.contrast_json(found), "left_out": left_out_json(reading.problems)}
        print(json.dumps(told, indent=1))
        return
    console = make_console()
    for line in [*report.contrast_lines(found), *left_out(reading.problems)]:
        console.print(line, markup=False)


def parse_share(text: str) -> float:
    """``1%`` or ``0.01``. Raises BadParameter for what is no share between 0 and 1."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(%?)\s*", text)
    value = float(found[1]) / (100 if found[2] else 1) if found else 0.0
    if not 0 < value < 1:
        raise typer.BadParameter(f"{text!r} is no share: write 1% or 0.01", param_hint="--margin")
    return value


def _two(text: str | None, across: bool) -> tuple[str | None, str | None]:
    """What an option says of A and of B; one word says it of both."""
    from mmbench.grid.registry import split_list

    words = [text] if text is None or not across else split_list(text)
    if len(words) > 2:
        raise typer.BadParameter(f"{text}: one word, or A's and B's")
    return words[0], words[-1]
