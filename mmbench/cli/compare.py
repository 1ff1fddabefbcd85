"""``mmbench compare``: how far rows differ, and how sure it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from mmbench.cli.options import Data, Json, Results

if TYPE_CHECKING:
    from mmbench.report import Reading


def compare(
    rows: Annotated[
        list[str], typer.Argument(metavar="A B...", help="Rows: names, models, or cells' ids.")
    ],
    results: Results = Path("results"),
    data: Data = None,
    protocol: Annotated[str | None, typer.Option(help="Only this protocol.")] = None,
    candidates: Annotated[
        str, typer.Option("--set", help="The candidate set; see: mmbench ls protocols.")
    ] = "unseen",
    metric: Annotated[str, typer.Option(help="hit@k, ndcg@k, mrr@k or mrr.")] = "ndcg@10",
    baseline: Annotated[
        str | None, typer.Option(help="Hold each row against this one, and not all pairs.")
    ] = None,
    margin: Annotated[
        str, typer.Option(help="Within what share of B's figure A counts as equivalent.")
    ] = "1%",
    across: Annotated[
        bool,
        typer.Option(
            "--across", help="Let A and B answer different questions: --data a,b; --protocol a,b."
        ),
    ] = False,
    over: Annotated[
        bool,
        typer.Option("--over", help="Over all datasets, against --baseline (or the last row)."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Tell how far rows differ, from the stored ranks of every user and seed.

    The interval holds for other users and other seeds. Where a row has one seed, its seed noise is
    unknown, and the output says so. Of several pairs, p is Holm's.

    \b
    Examples:
      mmbench compare sasrec-ce gru4rec-ce -d beauty
      mmbench compare sasrec-ce gru4rec-ce --baseline pop -d beauty --margin 2%
      mmbench compare 3fa9c1d2 77ab01cd --set full --metric hit@10
      mmbench compare sasrec-ce markov --over --baseline pop --protocol loo@2
      mmbench compare pop pop --across --protocol loo@2,loo@1
    """
    from mmbench.cli.boards import left_out, left_out_json, read_folder
    from mmbench.cli.screen import make_console

    if len(rows) < 2 and baseline is None:
        raise typer.BadParameter("name two rows, or one and --baseline", param_hint="A B...")
    if across and (over or baseline is not None or len(rows) != 2):
        raise typer.BadParameter("it holds two rows against each other", param_hint="--across")
    reading = read_folder(results)
    found = _Asked(rows, baseline, data, protocol, candidates, metric, parse_share(margin))
    if over:
        told, lines = found.over(reading)
    elif len(rows) == 2 and baseline is None:
        told, lines = found.pair(reading, across)
    else:
        told, lines = found.lineup(reading)
    if as_json:
        print(json.dumps({**told, "left_out": left_out_json(reading.problems)}, indent=1))
        return
    console = make_console()
    for line in [*lines, *left_out(reading.problems)]:
        console.print(line, markup=False, soft_wrap=True)


Answer = tuple[dict[str, Any], list[str]]  # as data, and as lines


class _Asked(NamedTuple):
    """What a command asked for."""

    rows: list[str]
    baseline: str | None
    data: str | None
    protocol: str | None
    candidates: str
    metric: str
    margin: float

    def pair(self, reading: Reading, across: bool) -> Answer:
        from mmbench import report
        from mmbench.cli.boards import choose_boards

        datasets, protocols = _two(self.data, across), _two(self.protocol, across)
        boards = report.make_boards(reading.records)
        chosen = [choose_boards(boards, *both) for both in zip(datasets, protocols, strict=True)]
        pair = report.choose_rows(chosen[0], chosen[1], *self.rows, across=across)
        found = report.contrast(reading, boards, *pair, **self._question())
        return report.contrast_json(found), report.contrast_lines(found)

    def lineup(self, reading: Reading) -> Answer:
        from mmbench import report
        from mmbench.cli.boards import choose_boards

        boards = report.make_boards(reading.records)
        names = [*self.rows, *([] if self.baseline is None else [self.baseline])]
        board, rows = report.choose_lineup(choose_boards(boards, self.data, self.protocol), names)
        last = None if self.baseline is None else rows[-1]
        others = rows[: len(self.rows)]
        found = report.line_up(reading, boards, board, others, baseline=last, **self._question())
        return report.lineup_json(found), report.lineup_lines(found)

    def over(self, reading: Reading) -> Answer:
        from mmbench import report
        from mmbench.cli.boards import choose_boards

        boards = choose_boards(report.make_boards(reading.records), self.data, self.protocol)
        last = self.rows[-1] if self.baseline is None else self.baseline
        found = report.tour(reading, boards, self.rows, last, **self._question())
        return report.tour_json(found), report.tour_lines(found)

    def _question(self) -> dict[str, Any]:
        return {"candidates": self.candidates, "metric": self.metric, "margin": self.margin}


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
