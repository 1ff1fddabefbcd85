"""Addresses of photographs in an items table, as ``addresses.tsv`` beside ``dataset.toml``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmbench.data.fetch.tables import write_tsv
from mmbench.data.formats import as_text, header, read_table
from mmbench.data.ids import agree, identifiers
from mmbench.data.spec import ADDRESSES, ItemsSpec

ADDRESS = re.compile(r"https?://[^\s\"'<>\]]+")
PICTURED = re.compile(r"image|img|imurl|thumb|picture|photo|poster|cover|bild|foto", re.I)
LARGEST = ("hi_res", "large", "url", "src")  # keys of an object that has several, the best first


def find_addresses(
    root: Path, spec: ItemsSpec, items: Collection[str]
) -> tuple[str, dict[str, str]]:
    """The column that tells most addresses of photographs, and ``{item: address}``.

    Args:
        root: the dataset's folder.
        spec: of the items' table.
        items: their ids, as the events have them.

    Empty where no column of such a name holds addresses in half of its cells or more.
    """
    path = root / spec.file
    names = [name for name in header(path, spec.reading) if PICTURED.search(name)]
    if not names:
        return "", {}
    table = read_table(path, spec.reading, [spec.id, *names])
    ids = identifiers(table[spec.id], path).tolist()
    spelled = agree(set(items), ids, path.name).renamed
    best: tuple[str, dict[str, str]] = ("", {})
    for name in names:
        cells = {spelled.get(one, one): cell for one, cell in zip(ids, table[name], strict=True)}
        told = {one: _address(cell) for one, cell in cells.items() if as_text(cell).strip()}
        found = {one: address for one, address in told.items() if address and one in set(items)}
        if sum(map(bool, told.values())) >= len(told) / 2 and len(found) > len(best[1]):
            best = name, found
    return best


def write_addresses(folder: Path, addresses: Mapping[str, str]) -> Path:
    """Write ``addresses.tsv`` into a folder, and return its path."""
    write_tsv(folder / ADDRESSES, ("item_id", "address"), addresses.items())
    return folder / ADDRESSES


def _address(cell: Any) -> str:
    """The first address in a cell, of an object with several the largest picture's."""
    if isinstance(cell, list | tuple | np.ndarray):
        return next((address for one in cell if (address := _address(one))), "")
    if isinstance(cell, dict):
        values = [*(cell.get(key) for key in LARGEST), *cell.values()]
        return next((address for one in values if (address := _address(one))), "")
    found = ADDRESS.search(as_text(cell))
    return found[0].rstrip(".,;)") if found else ""
