"""Recipes: where a dataset's sources lie, what proves them, and which files are made of them.

``recipes/<id>.toml``::

    id = "shop"                        # a dataset that mmbench knows, see mmbench/data/known

    [categories]                       # a template: all of it may hold {category} and {slug}
    Books = "amazon-books"             # with the dataset's lineage
    [counts.Books]                     # [expected] of that one
    users = 100

    [expected]                         # of the prepared log, without pictures; a pair is a range
    users = 100
    items = [90, 110]
    events = 1000
    titles = 88                        # items with a title, where the text was fetched
    seen = true                        # false: said by others, so a difference is only a warning

    [[source]]
    name = "events.csv"
    addresses = ["https://…", "https://a.mirror/…"]    # none: it stands behind a form
    bytes = 1234                       # unless it is reissued
    sha256 = "…"                       # or md5; neither: recorded on first use
    at_most = 100_000_000              # bytes, where the size is not known
    licence = "CC-BY-4.0"
    untried = true                     # the recipe met only small files of its layout so far, and
                                       # not the real one: people are told

    [[output]]
    file = "events.csv"                # as the dataset's description names it
    part = "events"                    # events, text, pictures (their addresses), or step: made
                                       # on the way to another and not kept
    make = "copy"                      # a name of mmbench.data.fetch.makers
    from = ["events.csv"]              # sources, or outputs that were made before
    member = "shop/events.csv"         # further keys are the maker's own

    [by_hand]
    steps = ["…"]

    [items]                            # the items' table, where the described one is not there
    file = "titles.tsv"
    text = ["title"]

    [photographs]
    hosts = ["example.org"]            # no address elsewhere is asked
    licence = "…"
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, get_args

from mmbench.data.log import DataError
from mmbench.data.spec import ItemsSpec

Part = Literal["events", "text", "pictures", "step"]
PARTS: tuple[Part, ...] = get_args(Part)
Range = tuple[int, int]
RECORD = "fetched.json"  # in the dataset's folder: what each source was when it was first used
UNTRIED = "not tried on the real files yet"


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of a file beforehand; empty where nothing is.

    Attributes:
        size: bytes, or None.
        algorithm: ``sha256`` or ``md5``.
        digest: hexadecimal, or empty.
    """

    size: int | None = None
    algorithm: str = "sha256"
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A file as others publish it; ``untried``: the recipe never met the real one."""

    name: str
    addresses: tuple[str, ...] = ()
    proof: Proof = Proof()
    at_most: int = 4 * 1024**3
    licence: str = ""
    untried: bool = False

    @property
    def by_hand(self) -> bool:
        """Whether a form or an account stands before it."""
        return not self.addresses


@dataclass(frozen=True, slots=True)
class Output:
    """A file of the dataset, and how it is made; ``options`` are its maker's own."""

    file: str
    part: Part
    make: str
    inputs: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Expected:
    """Counts of the prepared log, ``{"users": (least, most), …}``, that prove its reading."""

    counts: Mapping[str, Range] = field(default_factory=dict)
    seen: bool = True


@dataclass(frozen=True, slots=True)
class FetchRecipe:
    """How a dataset is fetched."""

    id: str
    sources: tuple[Source, ...]
    outputs: tuple[Output, ...]
    expected: Expected
    steps: tuple[str, ...] = ()
    items: ItemsSpec | None = None
    hosts: tuple[str, ...] = ()
    photographs_licence: str = ""

    def source(self, name: str) -> Source | None:
        """The source of that name; None for an output."""
        return next((one for one in self.sources if one.name == name), None)

    @property
    def untried(self) -> list[Part]:
        """The parts that are made of a file that the recipe never met."""
        strange = {one.name for one in self.sources if one.untried}
        return [
            part
            for part in PARTS
            if part != "step"
            and any(strange & set(output.inputs) for output in self.making([part]))
        ]

    def making(self, parts: Iterable[str], here: Container[str] = ()) -> list[Output]:
        """The outputs of these parts that are not ``here``, after those that they are made of."""
        wanted = {one.file for one in self.outputs if one.part in set(parts)}
        for output in reversed(self.outputs):  # what is made of another stands after it
            if output.file in wanted and output.file not in here:
                wanted |= {name for name in output.inputs if self.source(name) is None}
        return [one for one in self.outputs if one.file in wanted and one.file not in here]


def slug_of(category: str) -> str:
    """A category as a part of an id: ``Video_Games`` becomes ``video-games``."""
    return re.sub(r"[^a-z0-9]+", "-", category.lower()).strip("-")


def recipes() -> Mapping[str, FetchRecipe]:
    """Every recipe by dataset id: those of the folder ``MMBENCH_RECIPES``, then the shipped."""
    shipped = _read(None)
    own = os.environ.get("MMBENCH_RECIPES", "").strip()
    return {**shipped, **_read(Path(own).expanduser())} if own else shipped


@cache
def _read(own: Path | None) -> Mapping[str, FetchRecipe]:
    """The recipes in a folder, or the shipped ones. Raises DataError for a broken one."""
    folder: Traversable = own or resources.files("mmbench.data.fetch") / "recipes"
    found = {}
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if file.name.endswith(".toml"):
            try:
                for table in tables(file.read_text("utf-8")):
                    recipe = parse_recipe(table, file.name)
                    found[recipe.id] = recipe
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{file}: no recipe: {error!r}") from error
    return found


def tables(text: str) -> list[dict[str, Any]]:
    """The recipes in a file: one, or one a category of a template."""
    table = tomllib.loads(text)
    categories = table.pop("categories", {})
    if not categories:
        return [table]
    counts = table.pop("counts", {})
    found = []
    for category in categories:
        filled = fill(table, words_of(category))
        if category in counts:
            filled["expected"] = {**filled.get("expected", {}), **counts[category]}
        found.append(filled)
    return found


def words_of(category: str) -> dict[str, str]:
    """What stands in a template for a category."""
    words = category.replace("_", " ")
    return {"category": category, "slug": slug_of(category), "words": words}


def categories_of(template: str) -> Mapping[str, str]:
    """The categories of a shipped template, each with the lineage of its dataset."""
    file = resources.files("mmbench.data.fetch") / "recipes" / f"{template}.toml"
    found: Mapping[str, str] = tomllib.loads(file.read_text("utf-8"))["categories"]
    return found


def fill(value: Any, words: Mapping[str, str]) -> Any:
    """``value`` with ``{word}`` replaced in every text of it."""
    if isinstance(value, str):
        for word, text in words.items():
            value = value.replace(f"{{{word}}}", text)
        return value
    if isinstance(value, list):
        return [fill(one, words) for one in value]
    if isinstance(value, dict):
        return {key: fill(one, words) for key, one in value.items()}
    return value


def parse_recipe(table: Mapping[str, Any], where: str) -> FetchRecipe:
    """A recipe of a table as ``tomllib`` reads it. Raises ValueError, KeyError for a broken one."""
    expected = dict(table.get("expected", {}))
    seen = expected.pop("seen", True)
    counts = {
        name: (value, value) if isinstance(value, int) else (value[0], value[1])
        for name, value in expected.items()
    }
    photographs, by_hand = table.get("photographs", {}), table.get("by_hand", {})
    recipe = FetchRecipe(
        id=table["id"],
        sources=tuple(_source(dict(one)) for one in table["source"]),
        outputs=tuple(_output(dict(one)) for one in table["output"]),
        expected=Expected(counts, seen),
        steps=tuple(by_hand.get("steps", ())),
        items=_items(table.get("items")),
        hosts=tuple(photographs.get("hosts", ())),
        photographs_licence=photographs.get("licence", ""),
    )
    known = {one.name for one in recipe.sources}
    for output in recipe.outputs:
        if lost := set(output.inputs) - known:
            raise ValueError(f"{where}: {recipe.id} has no {lost} before {output.file}")
        known.add(output.file)
    if any(one.by_hand for one in recipe.sources) and not recipe.steps:
        raise ValueError(f"{where}: {recipe.id} does not say how to get what has no address")
    return recipe


def _items(table: Mapping[str, Any] | None) -> ItemsSpec | None:
    if table is None:
        return None
    return ItemsSpec(**{**table, "text": tuple(table.get("text", ()))})


def _source(table: dict[str, Any]) -> Source:
    algorithm = "md5" if "md5" in table else "sha256"
    proof = Proof(table.pop("bytes", None), algorithm, table.pop(algorithm, ""))
    return Source(addresses=tuple(table.pop("addresses", ())), proof=proof, **table)


def _output(table: dict[str, Any]) -> Output:
    part = table.pop("part")
    if part not in PARTS:
        raise ValueError(f"a part is one of {', '.join(PARTS)}, not {part!r}")
    inputs = tuple(table.pop("from"))
    return Output(table.pop("file"), part, table.pop("make"), inputs, table)
