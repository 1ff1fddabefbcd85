"""One spelling for one id, within a column and between two tables.

Programs that write tables change ids: numbers become fractions (``3.0``), leading zeros go, spaces
stay behind, letters are composed in another way. What is made one is always said.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mmbench.data.log import DataError

FRACTION = re.compile(r"(\d+)\.0+")
POWER = re.compile(r"(\d)(?:\.(\d+))?[eE]\+(\d{1,2})")
# what Python calls a space, and what has no width
AROUND = (
    "".join(chr(n) for n in range(0x3001) if chr(n).isspace()) + "\u200b\u200c\u200d\u2060\ufeff"
)
Key = Callable[[str], str]


def identifiers(column: pd.Series, path: Path) -> pd.Series:
    """A column of ids as strings; whole numbers lose a ``.0``. Raises DataError where one lacks."""
    bad = column.isna() | (column.astype(object) == "")
    if column.dtype.kind not in "iufb" and not bad.all():
        bad |= column.astype(object).map(lambda value: isinstance(value, str) and not value.strip())
    if bad.any():
        row = int(np.flatnonzero(bad)[0]) + 1
        raise DataError(
            f"{path}, row {row} (without the header): no value in column {column.name!r}; "
            f"{int(bad.sum()):,} such rows: drop or mend them"
        )
    if column.dtype.kind == "f" and (column == np.floor(column)).all():
        column = column.astype(np.int64)
    return pd.Series([_text(value) for value in column], dtype=object, name=column.name)


def _text(value: object) -> str:
    """A whole number loses its ``.0`` also among values of other types, as null makes them."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def trimmed(text: str) -> str:
    """Without spaces around it, seen or not, its letters composed."""
    return unicodedata.normalize("NFC", text).strip(AROUND)


def _whole(text: str) -> str:
    found = FRACTION.fullmatch(trimmed(text))
    return found[1] if found else trimmed(text)


def _power(text: str) -> str:
    """``1.1e+06`` as ``1100000``."""
    found = POWER.fullmatch(_whole(text))
    if found is None:
        return _whole(text)
    first, rest, zeros = found[1], found[2] or "", int(found[3])
    rest = rest.rstrip("0")
    return first + rest.ljust(zeros, "0") if len(rest) <= zeros else _whole(text)


def _bare(text: str) -> str:
    plain = _power(text)
    return plain.lstrip("0") or "0" if plain.isdigit() else plain


def _small(text: str) -> str:
    return _bare(text).casefold()


# From what is surely the same to what is the same only where nothing else is.
RULES: tuple[tuple[str, Key], ...] = (
    ("spaces around them, or how their letters are composed", trimmed),
    ("a '.0' at their end", _whole),
    ("how powers of ten are written", _power),
    ("zeros before them", _bare),
    ("capitals", _small),
)


def likeness(ids: Iterable[str]) -> set[str]:
    """Ids in the one spelling that all rules lead to: for telling what may belong together."""
    return {_small(one) for one in ids}


def alike(column: pd.Series) -> tuple[pd.Series, list[str]]:
    """A column of ids in which one id has one spelling, and what was done, in sentences.

    Ids that differ by spaces around them or by composed letters are one; so are ``3`` and ``3.0``
    where all ids are whole numbers. The plainest spelling stays.
    """
    values = pd.unique(column)
    numbers = all(FRACTION.fullmatch(one) or one.isdigit() for one in map(trimmed, values))
    new: dict[str, str] = {}
    said = []
    for why, key in RULES[: 2 if numbers else 1]:
        groups: dict[str, dict[str, list[str]]] = {}  # by how an earlier rule spells them
        for value in values:
            now = new.get(value, value)
            groups.setdefault(key(now), {}).setdefault(now, []).append(value)
        split = {plain: found for plain, found in groups.items() if len(found) > 1}
        changed = {
            value: plain
            for plain, found in split.items()
            for same in found.values()
            for value in same
        }
        if key is trimmed:  # a lone id loses its spaces too: no other table has them
            changed |= {
                value: plain for plain, found in groups.items() for value in found if value != plain
            }
        new |= changed
        if changed:
            old, one = next((o, n) for o, n in changed.items() if o != n or len(changed) == 1)
            said.append(
                f"{len(changed):,} ids in {column.name!r} differ only by {why}, such as {old!r}; "
                f"they are read as {one!r}, and {sum(map(len, split.values())) - len(split):,} "
                "that were two or more are one"
            )
    cut = [one for one in values if "." in one and POWER.fullmatch(trimmed(one))]
    if cut:
        said.append(
            f"{len(cut):,} ids in {column.name!r} are written as powers of ten, such as "
            f"{cut[0]!r}: a spreadsheet may have cut them off, and made one id of several"
        )
    return (column.map(lambda value: new.get(value, value)) if new else column), said


@dataclass(frozen=True, slots=True)
class Agreed:
    """How the ids of a second table are spelled in the first.

    Attributes:
        renamed: id of the second table to that of the first, where they differ.
        notes: what was done, in sentences.
    """

    renamed: dict[str, str]
    notes: tuple[str, ...]


def agree(ids: Collection[str], others: Sequence[str], what: str) -> Agreed:
    """Find the ids of a second table that the first spells otherwise.

    A spelling is taken for another only where both are the only ones of their kind, and where the
    first table has none of the second's own.

    Args:
        ids: of the events.
        others: of the second table.
        what: the second table, for sentences.
    """
    left, spare = set(ids) - set(others), sorted(set(others) - set(ids))
    renamed: dict[str, str] = {}
    notes = []
    for why, key in RULES:
        if not left or not spare:
            break
        wanted, offered = _by_key(sorted(left), key), _by_key(spare, key)
        pairs = {
            found[0]: wanted[plain][0]
            for plain, found in offered.items()
            if len(found) == 1 and len(wanted.get(plain, ())) == 1
        }
        unclear = sum(len(found) for plain, found in offered.items() if plain in wanted) - len(
            pairs
        )
        if pairs:
            old, new = next(iter(pairs.items()))
            notes.append(
                f"{len(pairs):,} ids of {what} differ from the events' only by {why}, such as "
                f"{old!r} and {new!r}; they are taken for the same"
            )
        if unclear:
            notes.append(
                f"{unclear:,} ids of {what} fit several of the events' but for {why}; they are "
                "left apart"
            )
        renamed |= pairs
        left -= set(pairs.values())
        spare = [one for one in spare if one not in pairs]
    return Agreed(renamed, tuple(notes))


def _by_key(ids: Iterable[str], key: Key) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for one in ids:
        groups.setdefault(key(one), []).append(one)
    return groups
