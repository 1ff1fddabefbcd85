"""``mmbench export`` and ``mmbench recommend``: what was stored, in the dataset's own ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmbench.cli.options import Json, Results

if TYPE_CHECKING:
    from mmbench.report.lists import Lists

WHAT = ("trec", "users", "lists")
Set = Annotated[str, typer.Option("--set", help="The candidate set; sampled ones have no lists.")]


def export(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="trec, users or lists.")],
    row: Annotated[str, typer.Argument(metavar="ROW", help="A row's name, model, or cell's id.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Write below this folder.")] = Path(
        "export"
    ),
    results: Results = Path("results"),
    data: Annotated[
        str | None, typer.Option("--data", "-d", help="Where the dataset is, if not by its id.")
    ] = None,
    candidates: Set = "unseen",
    protocol: Annotated[
        str | None, typer.Option(help="Only this one: a name, or a local one's file, mine.toml.")
    ] = None,
) -> None:
    """Write a row's stored results for other tools: one file a cell.

    trec: its top lists as a TREC run, with judgements beside it. users: the figures of each user,
    as CSV. lists: its top lists with the items' titles, as CSV. Ids are the dataset's own. Lists of
    rows of a local protocol want its file, --protocol mine.toml.

    \b
    Examples:
      mmbench export users sasrec-ce -r leaderboards/results
      mmbench export trec pop --set full -o runs
      mmbench export lists 3fa9c1d2
    """
    from mmbench import api
    from mmbench.cli.boards import left_out, read_folder
    from mmbench.cli.screen import make_console

    if what not in WHAT:
        raise typer.BadParameter(f"say one of: {', '.join(WHAT)}", param_hint="WHAT")
    found = api.Results(read_folder(results))
    if what == "trec":
        written = found.to_trec(out, row, candidates=candidates, data=data, protocol=protocol)
    else:
        written = found.to_csv(
            out, row, what=what, candidates=candidates, data=data, protocol=protocol
        )
    console = make_console(stderr=True)
    for line in [*(f"wrote {path}" for path in written), *left_out(found.problems)]:
        console.print(line, markup=False, soft_wrap=True)


def recommend(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="As for mmbench run.")],
    data: Annotated[str, typer.Option("--data", "-d", help="An id, an alias or a folder.")],
    users: Annotated[str, typer.Option(help="The dataset's own ids, comma-separated.")],
    k: Annotated[int, typer.Option("-k", min=1, max=20, help="How many items.")] = 10,
    candidates: Set = "unseen",
    protocol: Annotated[str | None, typer.Option(help="See: mmbench ls protocols.")] = None,
    preset: Annotated[str, typer.Option(help="paper, small, tiny, or auto.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="The model's seed.")] = 0,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where results are stored.")] = Path(
        "results"
    ),
    fit: Annotated[
        Path | None,
        typer.Option(help="A kept fit to answer from; by default the one beside the result."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print what a model recommends to users: from a kept fit, a stored result, or a new fit.

    It answers for each user's test query: the history before the last event. What came next is
    marked, if it is among the items. A kept fit answers only for the code, settings and data that
    it was made with; mmbench run --keep-fit keeps one.

    \b
    Examples:
      mmbench recommend markov -d demo --users user-0344,user-1525
      mmbench recommend sasrec-ce -d ./my-shop --users 42 -k 5 --json
      mmbench recommend pop -d demo --users user-0344 --fit pop.fit.safetensors
    """
    from mmbench.cli.screen import make_console, show_status
    from mmbench.grid.asked import make_grid
    from mmbench.grid.registry import split_list
    from mmbench.recommending import recommend as answer

    grid = make_grid(
        models=[model], data=[data], seeds=[seed], protocol=protocol or "", preset=preset
    )
    console, aside = make_console(), make_console(stderr=True)
    with show_status(aside, f"running {model} on {data}") as status:
        lists, kept = answer(grid, split_list(users), candidates, out, fit=fit, say=status)
    if kept is not None:
        aside.print(f"from the kept fit {kept}", markup=False, soft_wrap=True)
    if as_json:
        print(json.dumps(_json(lists, k), indent=1, ensure_ascii=False))
        return
    for line in _lines(lists, k):
        console.print(line, markup=False, soft_wrap=True)


def _json(lists: Lists, k: int) -> list[dict[str, Any]]:
    return [
        {
            "user": user,
            "next": target,
            "items": [
                {"item": item, "title": lists.titles.get(item, ""), "next": item == target}
                for item in items[:k]
            ],
        }
        for user, target, items in zip(lists.users, lists.targets, lists.items, strict=True)
    ]


def _lines(lists: Lists, k: int) -> list[str]:
    lines = []
    for told in _json(lists, k):
        lines.append(f"user {told['user']}")
        for place, item in enumerate(told["items"], start=1):
            came = "  (came next)" if item["next"] else ""
            lines.append(f"{place:4}  {item['item']}  {item['title']}".rstrip() + came)
    return lines
