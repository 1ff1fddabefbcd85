"""``mmbench data``: look at datasets, and make one from a folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmbench.cli.options import Json

if TYPE_CHECKING:
    from mmbench.data.importer import Imported

data_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look at datasets, and make one from a folder.",
)


@data_app.command("describe")
def describe(
    name: Annotated[str, typer.Argument(help="An id, an alias, or a folder.")],
    images: Annotated[bool, typer.Option("--images", help="With photographs fetched before.")] = (
        False
    ),
    draw: Annotated[bool, typer.Option("--draw", help="With drawn cards.")] = False,
    as_json: Json = False,
    as_croissant: Annotated[
        bool,
        typer.Option("--croissant", help="Print its description as Croissant (JSON-LD)."),
    ] = False,
) -> None:
    """Print a dataset's card: counts, lengths, ties in time, missing text, licence, steps.

    \b
    Examples:
      mmbench data describe demo
      mmbench data describe beauty --json
      mmbench data describe 'ml[core=10]'
      mmbench data describe ./my-shop --croissant > my-shop/croissant.json
    """
    from mmbench import data
    from mmbench.cli.screen import make_console
    from mmbench.data.card import render

    log = data.load(name, pictures="photographs" if images else "drawn" if draw else "")
    if as_croissant:
        from mmbench.data.croissant import of_dataset

        print(json.dumps(of_dataset(name, log.card), indent=1, ensure_ascii=False))
        return
    if as_json:
        print(json.dumps(log.card, indent=1, ensure_ascii=False))
    else:
        make_console().print(render(log.card))


@data_app.command("import")
def import_folder(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Where the files are, or hf:owner/name@commit."),
    ],
    to: Annotated[
        Path | None, typer.Option(help="The folder for dataset.toml; by default FOLDER itself.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the guess, write nothing.")] = (
        False
    ),
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over a dataset.toml that is there.")
    ] = False,
    id: Annotated[str | None, typer.Option(help="As in --data ID.")] = None,
    name: Annotated[str | None, typer.Option(help="For people.")] = None,
    alias: Annotated[list[str] | None, typer.Option(help="Another word for it. Repeatable.")] = (
        None
    ),
    interactions: Annotated[str | None, typer.Option(help="The file of the events.")] = None,
    user_column: Annotated[str | None, typer.Option(help="Its users.")] = None,
    item_column: Annotated[str | None, typer.Option(help="Its items.")] = None,
    time_column: Annotated[str | None, typer.Option(help="Its times.")] = None,
    rating_column: Annotated[str | None, typer.Option(help="Its ratings.")] = None,
    items: Annotated[str | None, typer.Option(help="The file of the items.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Its ids, as the events have them.")] = None,
    join: Annotated[
        str | None,
        typer.Option(help="Files that together hold the events: a,b, or a pattern: '*.inter'."),
    ] = None,
    local_split: Annotated[
        bool,
        typer.Option(
            "--local-split",
            help="Keep a published split (joined files of train, valid and test, or a column) as "
            "a protocol of your own, split.toml.",
        ),
    ] = False,
    delimiter: Annotated[
        str | None, typer.Option(help="Between the events' cells: ';', '::', tab, space.")
    ] = None,
    no_header: Annotated[
        bool, typer.Option("--no-header", help="The first line of the events is an event.")
    ] = False,
    columns: Annotated[
        str | None,
        typer.Option(help="All columns of events without a header: user,item,rating,time."),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of text that is not UTF-8: latin-1, gb18030, utf-16.")
    ] = None,
    time_unit: Annotated[
        str | None, typer.Option(help="Of times: s, ms, us, ns, or each by its size.")
    ] = None,
    time_format: Annotated[
        str | None, typer.Option(help="Of dates, where more than one fits: '%d/%m/%Y'.")
    ] = None,
    repeated: Annotated[
        str | None, typer.Option(help="Of rows with one item's id and other texts: first.")
    ] = None,
    title_column: Annotated[str | None, typer.Option(help="Its titles.")] = None,
    text: Annotated[
        str | None, typer.Option(help="All columns that models read, the title first: a,b.")
    ] = None,
    images: Annotated[str | None, typer.Option(help="The zip or folder of the pictures.")] = None,
    image_pattern: Annotated[
        str | None, typer.Option(help="A picture's name: '{item}.jpg', '*/{item}.*'.")
    ] = None,
    core: Annotated[
        int | None, typer.Option(min=0, help="Events that each user and item must keep.")
    ] = None,
    min_rating: Annotated[float | None, typer.Option(help="Drop events rated lower.")] = None,
    min_length: Annotated[
        int | None, typer.Option(min=0, help="Drop users with fewer events.")
    ] = None,
    duplicates: Annotated[
        str | None, typer.Option(help="Of a user's repeated item: keep, first or last.")
    ] = None,
    ties: Annotated[
        str | None, typer.Option(help="What orders a user's events at one time: hash or source.")
    ] = None,
    require: Annotated[
        str | None, typer.Option(help="Drop items without: text, image, or both: text,image.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Who may do what with it.")] = None,
    origin: Annotated[str | None, typer.Option(help="Where it is from.")] = None,
    lineage: Annotated[
        str | None, typer.Option(help="A word shared by datasets that hold the same events.")
    ] = None,
    remark: Annotated[
        list[str] | None, typer.Option(help="Shown with every result. Repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a folder a dataset: guess what its files hold, and write that into dataset.toml.

    Every flag corrects the guess. Tables of text with any delimiter, parquet, json, jsonl,
    RecBole's .inter and .item, and sequence files (a user a line) are read where they are, packed
    (.gz, .zip) or not; nothing is copied. It ends with what was used and what not: each file, each
    column, and why. In a terminal it asks what no name tells; elsewhere it lists what may be meant,
    and ends with code 2.

    \b
    Examples:
      mmbench data import ./my-shop --dry-run
      mmbench data import ./my-shop --id shop --licence CC-BY-4.0
      mmbench data import ./my-shop --join 'part-*.csv'
      mmbench data import ./beauty --join '*.inter' --local-split
      mmbench data import ./checkins --no-header --columns user,time,lat,lon,item
      mmbench data import ./films --item-column movieId --text title,genres --core 5
      mmbench run --models pop --data ./my-shop
    """
    from mmbench.cli.ask import ask_where_unclear
    from mmbench.data import importer
    from mmbench.data.spec import render_toml

    corrections: dict[str, Any] = {
        "id": id,
        "name": name,
        "aliases": alias or None,
        "interactions": interactions,
        "user_column": user_column,
        "item_column": item_column,
        "time_column": time_column,
        "rating_column": rating_column,
        "items": items,
        "id_column": id_column,
        "title_column": title_column,
        "text": _words(text),
        "images": images,
        "image_pattern": image_pattern,
        "core": core,
        "min_rating": min_rating,
        "min_length": min_length,
        "duplicates": duplicates,
        "ties": ties,
        "require": _words(require),
        "licence": licence,
        "origin": origin,
        "lineage": lineage,
        "remarks": remark or None,
    }
    corrections |= {
        "join": _words(join),
        "local_split": local_split,
        "delimiter": delimiter,
        "no_header": no_header,
        "table_columns": _words(columns),
        "encoding": encoding,
        "time_unit": time_unit,
        "time_format": time_format,
        "repeated": repeated,
    }

    brought: tuple[str, ...] = ()
    if str(folder).startswith("hf:"):
        folder, known, brought = importer.from_hub(str(folder), to)
        corrections |= {key: value for key, value in known.items() if corrections[key] is None}
        to = None

    def attempt(answers: Mapping[str, Any]) -> importer.Imported:
        told = {**corrections, **answers}
        if dry_run:
            return importer.guess_folder(folder, **told)
        return importer.import_folder(folder, to, replace_existing=replace, **told)

    done = ask_where_unclear(attempt)
    done = dataclasses.replace(done, notes=(*brought, *done.notes))
    shown = (
        render_toml(done.spec, to or folder) if done.path is None else done.path.read_text("utf-8")
    )
    if as_json:
        where = None if done.path is None else str(done.path)
        found: dict[str, Any] = {"id": done.spec.info.id, "written": where, "dataset_toml": shown}
        found |= {"card": done.card, "left_out": done.left_out, "notes": list(done.notes)}
        found["files"] = [dataclasses.asdict(one) for one in done.files]
        found["protocol"] = None if done.protocol is None else str(done.protocol)
        found["queries"] = _queries(done)
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    print(shown, end="")
    _print_account(done)
    queries = _queries(done)
    if queries:
        told = ", ".join(f"{count:,} {what}" for what, count in queries.items())
        print(f"# the published split ({told}): --protocol {done.protocol}")


def _queries(done: Imported) -> dict[str, int]:
    """What the published split trains and asks; empty where none was written.

    Raises SplitError, a UserError, where it cannot be asked; it is removed then.
    """
    from mmbench import data
    from mmbench.data.spec import MARKS
    from mmbench.protocol.parts import SplitError
    from mmbench.protocol.protocols import get_protocol
    from mmbench.protocol.split import split

    if done.protocol is None or done.path is None:
        return {}
    log = data.load(_how_to_name(done.spec.info.id, done.path))
    try:
        parts = split(log, get_protocol(str(done.protocol)))
    except SplitError as error:
        for path in (done.protocol, done.protocol.with_name(MARKS)):
            path.unlink()
        raise SplitError(
            f"{error}. The dataset is imported, and its published split is left out: named "
            "protocols make their own"
        ) from error
    return {
        "events that train": len(parts.train.user),
        "validation queries": len(parts.valid),
        "test queries": len(parts.test),
    }


def _print_account(done: Imported) -> None:
    from mmbench.data.account import lines

    print("\n# what was used, and what was not")
    for line in lines(done.files, done.notes):
        print(f"#   {line}")
    card, written = done.card, done.path
    if card is None or written is None:
        print("\n# nothing is written: correct it with flags, or run it without --dry-run")
        return
    print(f"\n# {card['users']:,} users, {card['items']:,} items, {card['events']:,} events")
    print(f"# written to {written}; use it: --data {_how_to_name(done.spec.info.id, written)}")


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _how_to_name(id: str, written: Path) -> str:
    """The id where it is looked for, else the path, told from a name by its ``/``."""
    from mmbench.data.places import search_folders

    homes = [folder.absolute() for folder in search_folders()]
    here = written.parent.absolute()
    if here.parent in homes and here.name == id:
        return id
    return str(written.parent) if "/" in str(written.parent) else f"./{written.parent}"
