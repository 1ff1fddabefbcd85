"""``mmbench data fetch`` and ``mmbench data draw``: data by name, and cards for data without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mmbench.cli.options import Json
from mmbench.problems import UserError


def fetch_data(
    name: Annotated[str, typer.Argument(help="An id or an alias, see: mmbench ls data.")],
    events_only: Annotated[
        bool, typer.Option("--events-only", help="Not the items' texts: models by id need none.")
    ] = False,
    images: Annotated[bool, typer.Option("--images", help="Photographs too, by address.")] = False,
    given: Annotated[
        Path | None,
        typer.Option("--from", help="A file or folder with what was got by hand, or elsewhere."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Agree to the sizes and licences that are told.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be fetched.")] = False,
    as_json: Json = False,
) -> None:
    """Fetch a known dataset: proven by digests and counts, resumed where it broke off.

    The same command goes on after a break. A dataset behind a form or an account says the steps,
    and takes the files that you got with --from.

    \b
    Examples:
      mmbench data fetch beauty
      mmbench data fetch ml-1m --images --yes
      mmbench data fetch microlens-100k --from ~/Downloads/microlens
    """
    from mmbench.cli.screen import make_console
    from mmbench.cli.status import spinning
    from mmbench.cli.supply import (
        NoPictures,
        Wishes,
        bring_photographs,
        demand_consent,
        known_id,
    )
    from mmbench.data.fetch.bring import bring, demand_given, describe, lacking
    from mmbench.data.places import data_home

    identity = known_id(name)
    parts = {"events"} | (set() if events_only and not images else {"text"})
    lack = lacking(identity, parts | ({"pictures"} if images else set()))
    if lack is None:
        raise UserError(f"{identity} has no recipe; see `mmbench data describe {identity}`")
    console = make_console(stderr=as_json)
    left = [part for part in lack.unknown if part != "events"]
    if left:
        console.print(f"no recipe brings its {' and '.join(sorted(left))}", markup=False)
    if dry_run:
        told = describe(lack) if lack.outputs else [f"{identity}: everything is here"]
        console.print("\n".join(told), markup=False, soft_wrap=True)
        return
    outcomes: dict[str, int] = {}
    with spinning(console, f"fetching {identity}") as spinner:
        if lack.outputs:
            demand_given(lack, given)
            demand_consent(spinner, "\n".join(describe(lack)), yes)
        folder = bring(lack, given=given, progress=spinner.count, say=spinner)
        if images:
            try:
                outcomes = bring_photographs(
                    str(data_home() / identity), Wishes("photographs", yes=yes), spinner
                )
            except NoPictures as error:
                console.print(str(error), markup=False)
    made = [output.file for output in lack.outputs if output.part != "step"]
    if as_json:
        found = {"id": identity, "folder": str(folder), "made": made, "photographs": outcomes}
        print(json.dumps(found, indent=1))
        return
    console.print(
        f"{identity}: {', '.join(made) or 'everything was here'} in {folder}", markup=False
    )
    for outcome, count in sorted(outcomes.items(), key=lambda pair: -pair[1]):
        console.print(f"  photographs, {outcome}: {count:,}", markup=False)


def draw(
    name: Annotated[str, typer.Argument(help="An id, an alias, or a folder.")],
    as_json: Json = False,
) -> None:
    """Draw a card for each item of a dataset that has titles and no pictures.

    Cards tell what title and category tell, and nothing else; they are the same on every machine.
    mmbench run --draw draws them by itself. Every result on them says that they are drawn.

    \b
    Examples:
      mmbench data draw sports
      mmbench run -m pixrec -d sports --draw
    """
    from mmbench import data
    from mmbench.cli.screen import make_console
    from mmbench.cli.status import spinning
    from mmbench.data.find import resolve

    if resolve(name).pictured:
        raise UserError(f"{name} has pictures of its own; no card is drawn")
    console = make_console(stderr=as_json)
    with spinning(console, f"drawing {name}") as spinner:
        log = data.load(name, pictures="drawn", progress=spinner.count)
    if log.picture_source is None or log.items.images is None:
        raise UserError(
            f"{name}: its recipe keeps only items with a picture of its own, so none is drawn"
        )
    found = {
        "id": log.id,
        "cards": len(log.items.images.items()),
        "items": log.n_items,
        "path": str(log.picture_source.root),
        "fingerprint": log.fingerprints.pictures,
    }
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        console.print(
            f"{log.id}: {found['cards']:,} cards for {log.n_items:,} items in {found['path']}; use "
            "them: mmbench run --draw",
            markup=False,
            soft_wrap=True,
        )
