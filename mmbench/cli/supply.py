"""Data for a run: what is absent is told, agreed to, and brought before the plan is made."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mmbench.problems import UserError

if TYPE_CHECKING:
    from mmbench.cli.status import Spinner
    from mmbench.data.fetch.bring import Lack
    from mmbench.data.log import Log

MANY = 5  # hosts that are told by name
Needs = frozenset[str]  # of "text" and "image"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for.

    Attributes:
        pictures: ``drawn``, ``photographs``, or nothing.
        fetch: whether anything may be fetched.
        yes: terms and sizes are agreed to.
        plan_only: nothing is to be done, only said.
    """

    pictures: str = ""
    fetch: bool = True
    yes: bool = False
    plan_only: bool = False


class Supply:
    """Brings datasets, and loads them with the pictures that were asked for."""

    def __init__(self, names: Sequence[str], wishes: Wishes, spinner: Spinner) -> None:
        self._names, self._wishes, self._spinner = names, wishes, spinner
        self._needs: Needs = frozenset()

    def ready(self, needs: Needs) -> None:
        """Bring what the models with these needs lack. Raises UserError where it may not be."""
        self._needs = needs
        self._bring(self._names, self._wishes.pictures)

    def _bring(self, names: Iterable[str], pictures: str) -> None:
        """Bring what datasets lack, for models with the needs and with pictures of a kind."""
        from mmbench.data.fetch.bring import bring

        lacks = [lack for name in names for lack in [self._lack(name, pictures)] if lack]
        lacks = list({lack.id: lack for lack in lacks}.values())
        if not lacks:
            return
        self._agree(lacks)
        for lack in lacks:
            bring(lack, progress=self._spinner.count, say=self._spinner)

    def load(self, name: str) -> Log:
        """The log of a dataset, with pictures where a model needs them and they can be had."""
        self._spinner(f"preparing {name}")
        if "image" not in self._needs:
            return self._plain(name)
        log = self._pictured(name, self._wishes.pictures)
        asked = self._wishes.pictures or self._wishes.plan_only or not self._asks()
        if log.items.images is not None or asked:
            return log
        chosen = self._choose(name)
        if chosen:
            self._bring([name], chosen)
        return self._pictured(name, chosen)

    def _plain(self, name: str) -> Log:
        from mmbench import data

        return data.load(name, progress=self._spinner.count)

    def _lack(self, name: str, pictures: str) -> Lack | None:
        """What is to be brought for a name, if anything is."""
        from mmbench.data.fetch.bring import lacking

        identity = fetched_id(name)
        if identity is None:
            return None
        lack = lacking(identity, self._parts(pictures))
        return lack if lack is not None and lack.outputs else None

    def _parts(self, pictures: str) -> set[str]:
        parts = {"events"}
        if "text" in self._needs or ("image" in self._needs and pictures):
            parts.add("text")
        if "image" in self._needs and pictures == "photographs":
            parts.add("pictures")
        return parts

    def _agree(self, lacks: Iterable[Lack]) -> None:
        """Say what would be fetched, and go on only where that is agreed to."""
        from mmbench.data.fetch.bring import describe

        lines = [line for lack in lacks for line in describe(lack)]
        told = "\n".join(["not on this machine:", *lines])
        if not self._wishes.fetch:
            raise UserError(f"{told}\n--no-fetch forbids to fetch it")
        if self._wishes.plan_only:
            raise UserError(f"{told}\nthe plan is made from the data: fetch it first, see above")
        demand_consent(self._spinner, told, self._wishes.yes)

    def _pictured(self, name: str, pictures: str) -> Log:
        """The log with pictures of a kind; without, and a word, where they cannot be."""
        from mmbench import data

        log = self._plain(name)
        if not pictures or log.items.images is not None:
            return log
        try:
            if pictures == "photographs":
                bring_photographs(name, self._wishes, self._spinner)
            elif not any(any(texts) for texts in log.items.fields.values()):
                raise NoPictures("cards are drawn from titles, and it has none")
            return data.load(name, pictures=pictures, progress=self._spinner.count)
        except NoPictures as error:
            self._spinner.console.print(f"{name}: {error}", markup=False, soft_wrap=True)
        return log

    def _asks(self) -> bool:
        return sys.stdin.isatty() and self._spinner.console.is_terminal

    def _choose(self, name: str) -> str:
        """Ask which pictures a dataset without shall have."""
        with self._spinner.aside():
            self._spinner.console.print(
                f"{name} has no pictures, and a model needs some. images: photographs, fetched by "
                "address; draw: cards drawn from title and category, marked so; no: its rows are "
                "not applicable",
                markup=False,
                soft_wrap=True,
            )
            answer = (
                self._spinner.console.input("images, draw or no? ", markup=False).strip().lower()
            )
        return {"i": "photographs", "d": "drawn"}.get(answer[:1], "")


class NoPictures(UserError):
    """There is nothing to draw from, or no address of a photograph."""


def fetched_id(name: str) -> str | None:
    """The id of a known dataset that is not here, or only in the folder of what is fetched.

    None where it lies elsewhere, says itself how to be read, or is a package's.
    """
    from mmbench.data import plugin
    from mmbench.data.find import place_of
    from mmbench.data.places import data_home
    from mmbench.data.published import published
    from mmbench.data.spec import FILE_NAME

    identity, folder = place_of(name)
    known = published().get(identity)
    if known is None or identity in plugin.names():
        return None
    if folder is None:
        return identity
    home = (data_home() / identity).absolute()
    if folder.absolute() != home or (folder / FILE_NAME).is_file():
        return None
    return identity


def known_id(name: str) -> str:
    """The id of a known dataset. Raises UserError for another name."""
    from mmbench.data.find import place_of
    from mmbench.data.published import published
    from mmbench.data.spec import suggest

    known = published()
    identity, _ = place_of(name)
    if identity not in known:
        words = [word for key, spec in known.items() for word in (key, *spec.info.aliases)]
        raise UserError(f"{name} is no dataset that mmbench can fetch{suggest(name, words)}")
    return identity


def demand_consent(spinner: Spinner, told: str, yes: bool) -> None:
    """Print what would be fetched; raise UserError where nobody agrees to it."""
    with spinner.aside():
        spinner.console.print(told, markup=False, soft_wrap=True)
        if yes:
            return
        if not (sys.stdin.isatty() and spinner.console.is_terminal):
            raise UserError(
                "it is fetched once the sizes and licences above are agreed to: add --yes"
            )
        answer = spinner.console.input("fetch it under these licences? [y/N] ", markup=False)
        if answer.strip().lower() not in ("y", "yes"):
            raise UserError("nothing was fetched")


def bring_photographs(name: str, wishes: Wishes, spinner: Spinner) -> dict[str, int]:
    """Fetch the photographs of a dataset's catalogue; the count of each outcome.

    Raises NoPictures where no address is known, and UserError where nobody agrees.
    """
    from mmbench import data
    from mmbench.data.fetch.photographs import Fetcher, Shelf, read_addresses
    from mmbench.data.fetch.recipe import recipes
    from mmbench.data.find import place_of, resolve

    source = resolve(name)
    if source.pictured:
        return {}
    identity = source.info.id.partition("[")[0]
    table, recipe = addresses_of(name), recipes().get(place_of(name)[0])
    if table is None:
        raise NoPictures(
            "no addresses of photographs are here; `mmbench data fetch NAME --images` brings those "
            "of known datasets, an import keeps those that an items table tells, and --draw draws "
            "cards"
        )
    log = data.load(name, progress=spinner.count)
    known = read_addresses(table)
    wanted = {item: known[item] for item in log.item_ids[1:] if item in known}
    hosts = recipe.hosts if recipe is not None else hosts_of(wanted.values())
    shelf = Shelf.of(identity, Path(source.where))
    tried = shelf.tries()
    left = sum(item not in tried or not tried[item].lasts for item in wanted)
    if left and (wishes.plan_only or not wishes.fetch):
        raise NoPictures(f"{left:,} photographs are not fetched yet")
    if left:
        told = (
            f"{identity}: {left:,} photographs of {log.n_items:,} items, from "
            f"{', '.join(hosts[:MANY])}{f' and {len(hosts) - MANY:,} more' * (len(hosts) > MANY)} "
            f"into {shelf.folder}; their size is not told, often 20 to 100 KB each\n  licence: "
            f"{(recipe and recipe.photographs_licence) or 'none told'}"
        )
        demand_consent(spinner, told, wishes.yes)
        spinner(f"fetching photographs of {identity}")
        return dict(Fetcher(shelf, hosts).run(wanted, spinner.count))
    return {}


def hosts_of(addresses: Iterable[str]) -> tuple[str, ...]:
    """The hosts that addresses name, those named most first."""
    return tuple(host for host, _ in Counter(map(_host, addresses)).most_common() if host)


def _host(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""


def addresses_of(name: str) -> Path | None:
    """The table of a dataset's addresses of pictures, beside its files or in what was fetched."""
    from mmbench.data.find import place_of
    from mmbench.data.places import data_home
    from mmbench.data.spec import ADDRESSES

    identity, folder = place_of(name)
    for place in (folder, data_home() / identity):
        if place is not None and (place / ADDRESSES).is_file():
            return place / ADDRESSES
    return None
