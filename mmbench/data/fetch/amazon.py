"""Makers for Amazon's crawls: joins of ids, titles, days, and the addresses of pictures."""

from __future__ import annotations

import html
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmbench.data.fetch.bounded import records
from mmbench.data.fetch.matching import match_items
from mmbench.data.fetch.tables import (
    read_csv,
    read_tsv,
    sequence_items,
    sequence_rows,
    write_csv,
    write_tsv,
)
from mmbench.data.log import DataError

DAY = 24 * 3600

logger = logging.getLogger("mmbench.data")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises DataError."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: no object")
    return found


def part_of(path: Path, found: Mapping[str, Any], key: str) -> dict[str, Any]:
    """One of the tables in a ``datamaps.json``. Raises DataError where it lacks."""
    inner = found.get(key)
    if not isinstance(inner, dict):
        raise DataError(f"{path}: it has no {key!r}")
    return inner


def titles_by_name(inputs: Sequence[Path], output: Path, options: Mapping[str, Any]) -> None:
    """Titles by number -> ASIN -> integer -> name, and attributes by their numbers.

    ``inputs``: sequences, datamaps.json, item_id_to_int.json, products_lookup.csv and
    item2attributes.json. The numbers of attributes are those that datamaps.json counts
    ``least_count`` times or more, in its order. Names are unescaped twice, as they were escaped.
    """
    sequences, maps, integers, lookup, attributes = inputs
    known = read_json(maps)
    asin_of, integer_of = part_of(maps, known, "id2item"), read_json(integers)
    names = {
        row["global_product_id"]: html.unescape(html.unescape(row["name"] or ""))
        for row in read_csv(lookup, ("global_product_id", "name"))
    }
    numbers = read_json(attributes)
    named = _attribute_names(maps, known, numbers, options["least_count"])
    rows = []
    for item in sequence_items(sequences):
        asin = asin_of.get(item, "")
        title = names.get(str(integer_of.get(asin, "")), "")
        words = [named[number] for number in numbers.get(item, ()) if number in named]
        rows.append((item, asin, title, " > ".join(words)))
    write_tsv(output, ("item_id", "asin", "title", "categories"), rows)


def _attribute_names(
    maps: Path, known: Mapping[str, Any], numbers: Mapping[str, Sequence[int]], least: int
) -> dict[int, str]:
    counts, names = part_of(maps, known, "attributeid2num"), part_of(maps, known, "id2attribute")
    kept = [key for key in sorted(counts, key=int) if counts[key] >= least]
    used = sorted({number for row in numbers.values() for number in row})
    if len(kept) != len(used):
        raise DataError(
            f"{maps}: {len(kept)} attributes are there {least} times or more, but {len(used)} are "
            "used"
        )
    return {number: str(names[key]) for number, key in zip(used, kept, strict=True)}


def numbers_with_asin(inputs: Sequence[Path], output: Path, options: Mapping[str, Any]) -> None:
    """Items by number with ASIN, title, categories and brand.

    ``inputs``: sequences, datamaps.json, and the crawl's metadata (``form``: python or json).
    """
    sequences, maps, metadata = inputs
    asin_of = part_of(maps, read_json(maps), "id2item")
    items = {item: str(asin_of.get(item, "")) for item in sequence_items(sequences)}
    _write_described(items, metadata, options["form"], output)


def described(inputs: Sequence[Path], output: Path, options: Mapping[str, Any]) -> None:
    """As ``numbers_with_asin``, of a table of items with their ASIN, and the metadata."""
    table, metadata = inputs
    items = {row["item_id"]: row["asin"] for row in read_tsv(table)}
    _write_described(items, metadata, options["form"], output)


def _write_described(items: Mapping[str, str], metadata: Path, form: str, output: Path) -> None:
    found = {
        one["asin"]: (_title(one), _path(one.get("categories")), one.get("brand") or "")
        for one in _wanted(metadata, form, "asin", set(items.values()))
    }
    rows = ((item, asin, *found.get(asin, ("", "", ""))) for item, asin in items.items())
    write_tsv(output, ("item_id", "asin", "title", "categories", "brand"), rows)


def asins_by_numbers(inputs: Sequence[Path], output: Path, options: Mapping[str, Any]) -> None:
    """Items with their ASIN, by another numbering of the same log.

    ``inputs``: sequences, the same log in other numbers, and the ``datamaps.json`` of these.
    """
    sequences, others, maps = inputs
    asin_of = part_of(maps, read_json(maps), "id2item")
    other = [[str(asin_of.get(item, item)) for item in row] for row in sequence_rows(others)]
    _write_matched(sequences, other, others.name, output)


def asins_by_reviews(inputs: Sequence[Path], output: Path, options: Mapping[str, Any]) -> None:
    """Items with their ASIN, by the reviews that the log is made of.

    ``inputs``: sequences and the 5-core reviews. A user's reviews stand by day, and inside a day
    by ASIN, as in all published sequences.
    """
    sequences, reviews = inputs
    events: dict[str, list[tuple[int, str]]] = {}
    for one in records(reviews, "json"):
        event = (int(one["unixReviewTime"]) // DAY, str(one["asin"]))
        events.setdefault(str(one["reviewerID"]), []).append(event)
    other = [[asin for _, asin in sorted(found)] for found in events.values()]
    _write_matched(sequences, other, reviews.name, output)


def _write_matched(
    sequences: Path, other: Sequence[Sequence[str]], name: str, output: Path
) -> None:
    asin_of = match_items(sequence_rows(sequences), other, (sequences.name, name))
    items = sequence_items(sequences)
    if lost := sum(item not in asin_of for item in items):
        logger.warning("%s: %s items have twins and stay without a title", output, f"{lost:,}")
    write_tsv(output, ("item_id", "asin"), ((item, asin_of.get(item, "")) for item in items))


def _wanted(path: Path, form: str, key: str, ids: set[str]) -> Iterator[Mapping[str, Any]]:
    return (one for one in records(path, form) if one.get(key) in ids)


def _title(one: Mapping[str, Any]) -> str:
    return html.unescape(str(one.get("title") or ""))


def _path(categories: Any) -> str:
    """The longest of an item's paths of categories; the crawls nest them or do not."""
    if not isinstance(categories, list) or not categories:
        return ""
    paths = categories if isinstance(categories[0], list) else [categories]
    return " > ".join(map(str, max(paths, key=len)))


def days(inputs: Sequence[Path], output: Path, options: Mapping[str, Any]) -> None:
    """Events with their days, in the numbers of the published sequences.

    ``inputs``: the 5-core reviews, datamaps.json (its numbers of users and items) and the items'
    table. Items without a title go, then users and items with fewer than ``core`` events, until
    none is left. A user's events of a day stand by ASIN, as everywhere.
    """
    reviews, maps, items = inputs
    known = read_json(maps)
    user_of, item_of = part_of(maps, known, "user2id"), part_of(maps, known, "item2id")
    titled = {row["item_id"] for row in read_tsv(items) if row["title"]}
    events = []
    for one in records(reviews, "json"):
        user, item = user_of.get(str(one.get("reviewerID"))), item_of.get(str(one.get("asin")))
        if user is not None and str(item) in titled:
            day = int(one["unixReviewTime"]) // DAY * DAY
            events.append((str(user), day, str(one["asin"]), str(item)))
    events.sort(key=lambda event: (int(event[0]), *event[1:3]))
    rows = k_core([(user, item, day) for user, day, _, item in events], options["core"])
    write_csv(output, ("user_id", "item_id", "timestamp"), rows)


def k_core(events: list[tuple[str, str, int]], core: int) -> list[tuple[str, str, int]]:
    """The events of users and items that have ``core`` of them, to the fixed point."""
    while True:
        users, items = Counter(e[0] for e in events), Counter(e[1] for e in events)
        kept = [e for e in events if users[e[0]] >= core and items[e[1]] >= core]
        if len(kept) == len(events):
            return kept
        events = kept


def kept_items(inputs: Sequence[Path], output: Path, options: Mapping[str, Any]) -> None:
    """The rows of an items' table that a csv file of events names."""
    events, items = inputs
    used = {row["item_id"] for row in read_csv(events, ("item_id",))}
    rows = read_tsv(items)
    columns = tuple(rows[0]) if rows else ("item_id",)
    write_tsv(output, columns, (list(row.values()) for row in rows if row["item_id"] in used))


def metadata(inputs: Sequence[Path], output: Path, options: Mapping[str, Any]) -> None:
    """Titles, categories and shops of the crawl of 2023, of the items that the events name.

    ``inputs``: the events (csv with ``parent_asin``) and the metadata (JSON, a line each).
    """
    events, found = inputs
    used = {row["parent_asin"] for row in read_csv(events, ("parent_asin",))}
    rows = (
        (one["parent_asin"], _title(one), _path(one.get("categories")), one.get("store") or "")
        for one in _once(_wanted(found, "json", "parent_asin", used), "parent_asin")
    )
    write_tsv(output, ("item_id", "title", "categories", "store"), rows)


def _once(found: Iterator[Mapping[str, Any]], key: str) -> Iterator[Mapping[str, Any]]:
    seen = set()
    for one in found:
        if one[key] not in seen:
            seen.add(one[key])
            yield one


def addresses_2014(inputs: Sequence[Path], output: Path, options: Mapping[str, Any]) -> None:
    """Each item's ``imUrl``. ``inputs``: the items' table (with ``asin``), and the metadata.

    A picture that only says that there is none (``no-img-sm``) is none. ``from_to`` has beginnings
    of addresses and what they are now.
    """
    items, found = inputs
    item_of = {row["asin"]: row["item_id"] for row in read_tsv(items) if row["asin"]}
    rows = []
    for one in _wanted(found, "python", "asin", set(item_of)):
        address = str(one.get("imUrl") or "")
        if address and "no-img" not in address:
            for old, new in options["from_to"]:
                address = new + address.removeprefix(old) if address.startswith(old) else address
            rows.append((item_of[one["asin"]], address))
    write_tsv(output, ("item_id", "address"), rows)


def addresses_2023(inputs: Sequence[Path], output: Path, options: Mapping[str, Any]) -> None:
    """Each item's MAIN picture, the large one where there is one. ``inputs`` as of ``metadata``."""
    events, found = inputs
    used = {row["parent_asin"] for row in read_csv(events, ("parent_asin",))}
    rows = []
    for one in _once(_wanted(found, "json", "parent_asin", used), "parent_asin"):
        pictures = [each for each in one.get("images") or () if isinstance(each, dict)]
        main = [each for each in pictures if each.get("variant") == "MAIN"] or pictures
        address = next((each.get("hi_res") or each.get("large") for each in main), None)
        if address:
            rows.append((one["parent_asin"], address))
    write_tsv(output, ("item_id", "address"), rows)
