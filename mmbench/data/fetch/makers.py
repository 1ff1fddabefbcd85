"""What makes a dataset's files of its sources, by the names that recipes use."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmbench.data.fetch import amazon
from mmbench.data.fetch.bounded import records, unpack_gzip, unpack_member
from mmbench.data.fetch.tables import read_csv, read_tsv, write_csv, write_tsv
from mmbench.data.log import DataError

Maker = Callable[[Sequence[Path], Path, Mapping[str, Any]], None]
"""``maker(inputs, output, options)`` writes ``output``; it raises DataError."""


def copy(inputs: Sequence[Path], output: Path, options: Mapping[str, Any]) -> None:
    """The source itself."""
    shutil.copyfile(inputs[0], output)


def member(inputs: Sequence[Path], output: Path, options: Mapping[str, Any]) -> None:
    """The file ``member`` of a zip."""
    unpack_member(inputs[0], options["member"], output)


def gunzip(inputs: Sequence[Path], output: Path, options: Mapping[str, Any]) -> None:
    """What a gzip file holds."""
    unpack_gzip(inputs[0], output)


def separated(inputs: Sequence[Path], output: Path, options: Mapping[str, Any]) -> None:
    """``member`` of a zip, whose fields ``separator`` parts, in ``encoding``; as csv or tsv."""
    raw = output.with_name(f"{output.name}.raw")
    try:
        unpack_member(inputs[0], options["member"], raw)
        columns = options["columns"]
        write = write_tsv if output.suffix == ".tsv" else write_csv
        write(output, columns, _fields(raw, options["separator"], options["encoding"], columns))
    finally:
        raw.unlink(missing_ok=True)


def _fields(
    path: Path, separator: str, encoding: str, columns: Sequence[str]
) -> Iterator[list[str]]:
    with path.open(encoding=encoding, newline="\n") as file:
        for number, line in enumerate(file, 1):
            row = line.rstrip("\r\n").split(separator)
            if len(row) != len(columns):
                raise DataError(
                    f"{path}, line {number}: {len(row)} fields for {len(columns)} columns"
                )
            yield row


def retabled(inputs: Sequence[Path], output: Path, options: Mapping[str, Any]) -> None:
    """A csv file, or ``member`` of a zip, as tsv.

    ``columns`` has ``[its name, the new one]``; ``a|b`` is a or b, whichever there is.
    """
    source, raw = inputs[0], output.with_name(f"{output.name}.raw")
    try:
        if "member" in options:
            unpack_member(source, options["member"], raw)
            source = raw
        rows = read_csv(source, ())
        there = list(rows[0]) if rows else []
        names = [_whichever(source, old, there) for old, _ in options["columns"]]
        write_tsv(
            output,
            [new for _, new in options["columns"]],
            ([row[name] for name in names] for row in rows),
        )
    finally:
        raw.unlink(missing_ok=True)


def _whichever(path: Path, names: str, there: Sequence[str]) -> str:
    """The first of the names ``a|b`` that a table has. Raises DataError."""
    found = next((name for name in names.split("|") if name in there), None)
    if found is None:
        raise DataError(
            f"{path}: no column {names.replace('|', ' or ')} (there are "
            f"{', '.join(map(str, there)) or 'no rows'})"
        )
    return found


def steam_events(inputs: Sequence[Path], output: Path, options: Mapping[str, Any]) -> None:
    """Reviews of Steam: who, which game, on which day."""
    rows = ((one["username"], one["product_id"], one["date"]) for one in _whole(inputs[0]))
    write_csv(output, ("user_id", "item_id", "timestamp"), rows)


def _whole(path: Path) -> Iterator[Mapping[str, Any]]:
    """The reviews that name user, game and day."""
    wanted = ("username", "product_id", "date")
    return (one for one in records(path, "python") if all(one.get(key) for key in wanted))


def steam_items(inputs: Sequence[Path], output: Path, options: Mapping[str, Any]) -> None:
    """Games of Steam: title, genres and tags."""
    rows: dict[str, tuple[str, str, str, str]] = {}
    for one in records(inputs[0], "python"):
        if one.get("id"):
            title = one.get("title") or one.get("app_name") or ""
            words = (", ".join(map(str, one.get(key) or ())) for key in ("genres", "tags"))
            genres, tags = words
            rows.setdefault(str(one["id"]), (str(one["id"]), str(title), genres, tags))
    write_tsv(output, ("item_id", "title", "genres", "tags"), rows.values())


def addresses_by_id(inputs: Sequence[Path], output: Path, options: Mapping[str, Any]) -> None:
    """An address a row of an items' table: ``address`` with the id for ``{item}``.

    ``last``, where given, is the highest id that has one.
    """
    last = options.get("last", 10**9)
    ids = [row["item_id"] for row in read_tsv(inputs[0])]
    rows = ((item, options["address"].replace("{item}", item)) for item in ids if int(item) <= last)
    write_tsv(output, ("item_id", "address"), rows)


MAKERS: Mapping[str, Maker] = {
    "copy": copy,
    "member": member,
    "gunzip": gunzip,
    "separated": separated,
    "retabled": retabled,
    "steam-events": steam_events,
    "steam-items": steam_items,
    "addresses-by-id": addresses_by_id,
    "amazon-titles-by-name": amazon.titles_by_name,
    "amazon-numbers-with-asin": amazon.numbers_with_asin,
    "amazon-asins-by-numbers": amazon.asins_by_numbers,
    "amazon-asins-by-reviews": amazon.asins_by_reviews,
    "amazon-described": amazon.described,
    "amazon-days": amazon.days,
    "amazon-kept-items": amazon.kept_items,
    "amazon-metadata": amazon.metadata,
    "amazon-addresses-2014": amazon.addresses_2014,
    "amazon-addresses-2023": amazon.addresses_2023,
}
