"""Which files of a folder hold the events, and which of their columns is what."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from mmbench.data import formats, whens
from mmbench.data.lists import are_lists, cell_items
from mmbench.data.log import DataError
from mmbench.data.looks import WITHOUT_COLUMNS, Look
from mmbench.data.names import EVENT_FILE, NAMES, plain
from mmbench.data.several import Several, part_order
from mmbench.data.spec import EventsSpec, on_disk

ROLES = ("user", "item", "time", "rating")
KNOWN = 8  # worth of a file that is known to hold events; of others it is less
ASIN = re.compile(r"(?:B[0-9A-Z]{9}|\d{9}[0-9X])")
REVIEWER = re.compile(r"A[0-9A-Z]{10,}")


class Unclear(DataError):
    """A person must say which columns are what.

    Attributes:
        looks: the tables in question.
        kinds: what is to be named: ``user``, ``item``, ``time``.
    """

    def __init__(self, message: str, looks: Sequence[Look], kinds: Sequence[str]) -> None:
        super().__init__(message)
        self.looks = tuple(looks)
        self.kinds = tuple(kinds)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may hold the events.

    Attributes:
        look: the file.
        spec: how they would be read.
        worth: the likelier, the larger; 0 where it cannot be.
        notes: what a person must know, if it is taken.
        reasons: why other files are not taken, by name.
        rivals: columns that may be the times as well.
        unread: a column that is named like a time, but holds none that can be read.
    """

    look: Look
    spec: EventsSpec
    worth: int
    notes: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    rivals: tuple[str, ...] = ()
    unread: str = ""


def choose_events(
    folder: Path,
    looks: Sequence[Look],
    named: str,
    columns: Mapping[str, str],
    join: Sequence[str] = (),
) -> Candidate:
    """The file or files of the events.

    Args:
        folder: for messages.
        looks: its files.
        named: the file, if the caller names it.
        columns: the names of columns that the caller knows, by kind.
        join: names or patterns of files that together hold the events.

    Raises:
        Unclear: a person must say which columns are what.
        Several: more than one file looks like events.
        DataError: none does.
    """
    if join:
        return _joined(folder, looks, columns, join)
    if named:
        one = next((one for one in looks if one.name == named), None)
        if one is None or one.why_not:
            why = f"; {one.why_not}" if one is not None and one.why_not else ""
            raise DataError(f"{folder / named}: no such file, or of no known format{why}")
        return _settled(candidate(one, columns, asked=True), looks, columns)
    found = [candidate(one, columns) for one in looks if not one.why_not]
    likely = sorted((c for c in found if c.worth), key=lambda c: (_depth(c), -c.worth))
    if not likely:
        raise _none(folder, looks)
    best = likely[0]
    level = [c for c in likely if _depth(c) == _depth(best)]
    rivals = [c for c in level if c is not best and (c.worth == best.worth or _alike(c, best))]
    if rivals:
        raise Several(folder, [best.look, *(c.look for c in rivals)])
    reasons = {c.look.name: _why_passed(c, best, columns) for c in likely[1:]}
    return replace(_settled(best, looks, columns), reasons={**_reasons(looks), **reasons})


def _depth(one: Candidate) -> int:
    """How deep a file lies; what is in a zip lies deeper than what is beside it."""
    name = one.look.name
    return name.count("/") + (on_disk(name) != name)


def _alike(one: Candidate, best: Candidate) -> bool:
    """Whether two files may be parts of one log: the same columns, or sequences both."""
    if one.look.reading.format in WITHOUT_COLUMNS:
        return one.look.reading.format == best.look.reading.format
    if one.worth >= KNOWN and best.worth >= KNOWN:
        return True  # a published log of several kinds of events
    return set(one.look.columns) == set(best.look.columns)


def _reasons(looks: Sequence[Look]) -> dict[str, str]:
    """Why files are not used that could be read: what is known of their names, or that of prose."""
    said = {one.name: one.known.why for one in looks if one.known is not None and one.known.why}
    asked = "reads as words for people; if these are sequences: --interactions"
    return said | {one.name: f"{asked} {one.name}" for one in looks if one.prose}


def _why_passed(one: Candidate, best: Candidate, columns: Mapping[str, str]) -> str:
    """Why a file that names users and items is not that of the events."""
    name = one.look.name
    lies = "lies deeper, and " if _depth(one) > _depth(best) else ""
    return f"{lies}{best.look.name} looks more like the events (--interactions {name})"


def candidate(one: Look, columns: Mapping[str, str], asked: bool = False) -> Candidate:
    """A file as that of the events, and how likely it is."""
    reading = one.reading
    spec = EventsSpec(
        one.name, reading.format,
        delimiter=reading.delimiter, columns=reading.columns, encoding=reading.encoding,
    )  # fmt: skip
    hint = bool(EVENT_FILE.search(one.name.rpartition("/")[2]))
    if reading.format in WITHOUT_COLUMNS:
        return Candidate(one, spec, 0 if one.prose else 3 + hint)
    if one.known is not None and one.known.role in ("users", "part", "items") and not asked:
        return Candidate(one, spec, 0)
    if one.known is not None and one.known.format == "impressions" and reading.columns:
        shown = replace(spec, format="impressions", user="user", item="shown", time=None)
        return Candidate(one, shown, KNOWN)
    roles, notes = _roles(one, columns)
    if not asked and not {"user", "item"} <= roles.keys():
        return Candidate(one, spec, 0)
    if "rating" in roles and "rating" not in columns and (no := _no_number(one, roles["rating"])):
        notes.append(f"{roles.pop('rating')!r} is no rating: its cells, such as {no!r}, no numbers")
    split, history = roles.get("split"), roles.get("history")
    spec = replace(
        spec,
        user=roles.get("user", columns.get("user", "user_id")),
        item=roles.get("item", columns.get("item", "item_id")),
        rating=roles.get("rating"),
        split=split if split is not None and _is_split(one.rows[split]) else None,
        history=history,
    )
    taken = (spec.user, spec.item, spec.rating, spec.split, spec.history)
    chosen = _time(one, columns, {name for name in taken if name is not None})
    time = chosen.column if history is None else _list_of_times(one, history)
    sure = (
        not reading.columns or one.known is not None or time is not None or spec.rating is not None
    )
    worth = 2 + 2 * (time is not None) + hint + (spec.rating is not None) if sure else 1
    worth += KNOWN if one.known is not None and one.known.role == "events" else 0
    notes += chosen.notes if history is None else ()
    spec = replace(spec, time=time)
    return Candidate(one, spec, worth, tuple(notes), rivals=chosen.rivals, unread=chosen.unread)


def _time(one: Look, columns: Mapping[str, str], taken: Collection[str]) -> whens.Chosen:
    """What is taken for the time, as the caller, a known file or the table tells."""
    named = columns.get("time")
    if named in one.columns:
        return whens.Chosen(named)
    known = one.known.time if one.known is not None else ""
    if known and set(known.split("+")) <= set(one.columns):
        return whens.Chosen(
            known, (), (f"times are {known.replace('+', ' and the milliseconds of ')}",)
        )
    return whens.choose_time(one, taken)


def _roles(one: Look, columns: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Columns by kind, as the caller, a known file, a name or values tell; and what to say."""
    roles = {kind: name for kind, name in columns.items() if name in one.columns}
    notes = []
    if one.known is not None and one.known.user in one.columns:
        roles.setdefault("user", one.known.user)
    by_name: dict[str, list[str]] = {}
    for column in one.columns:
        by_name.setdefault(plain(column), []).append(column)
    for kind in ("user", "item", "rating", "split", "history"):
        found = [by_name[name][0] for name in NAMES[kind] if name in by_name]
        if kind in roles or not found:
            continue
        full = [column for column in found if _filled(one.rows, column) == 1.0]
        roles[kind] = (full or sorted(found, key=lambda c: -_filled(one.rows, c)))[0]
        if roles[kind] != found[0]:
            share = 1 - _filled(one.rows, found[0])
            notes.append(
                f"{roles[kind]!r} is taken for the {kind}: {found[0]!r} is empty in {share:.0%} of "
                "the first rows"
            )
    if "item" not in roles and "history" not in roles:
        lists = [by_name[name][0] for name in NAMES["sequence"] if name in by_name]
        lists = [column for column in lists if are_lists(one.rows[column].tolist())]
        roles |= {"item": lists[0], "history": lists[0]} if lists else {}
    if all(re.fullmatch(r"column \d+", column) for column in one.columns):
        roles |= _by_values(one)
        said = ", ".join(f"{name} the {kind}" for kind, name in roles.items())
        notes.append(f"no header: {said or 'nothing is known of its columns'} (--columns)")
    return roles, notes


def _filled(rows: pd.DataFrame, column: str) -> float:
    """The share of the first rows with something in a column."""
    if column not in rows or rows.empty:
        return 0.0
    values = rows[column]
    return float((values.notna() & (values.astype(str).str.strip() != "")).mean())


def _list_of_times(one: Look, history: str) -> str | None:
    """A column that lists as many times as another one lists items."""
    items = [len(cell_items(cell)) for cell in one.rows[history]]
    for column in one.columns:
        name = re.sub(r"(s|list|seq)$", "", plain(column))
        if column != history and (name in NAMES["time"] or plain(column) in NAMES["time"]):
            times = [len(cell_items(cell)) for cell in one.rows[column]]
            if times == items:
                return column
    return None


def _no_number(one: Look, column: str) -> str:
    """A cell of the first rows that is no number; empty where all are, or hold nothing."""
    values = one.rows[column].dropna().astype(str).str.strip()
    values = values[values != ""]
    wrong = values[formats.numbers(values).isna()]
    return str(wrong.iloc[0]) if len(wrong) else ""


def _is_split(values: pd.Series) -> bool:
    """Whether a column tells parts of a split: two or three values."""
    return values.astype(str).nunique() in (2, 3)


def _by_values(one: Look) -> dict[str, str]:
    """Kinds of columns without names: times and ratings by values, then the user and the item."""
    roles: dict[str, str] = {}
    rest = list(one.columns)
    moments = [w for w in whens.find_whens(one, ()) if w.moments]
    if moments:
        rest.remove(moments[0].column)
    for column in rest[2:]:
        numbers = pd.to_numeric(one.rows[column], errors="coerce")
        if numbers.notna().all() and numbers.between(-1, 100).all() and 1 < numbers.nunique() <= 21:
            roles["rating"] = column
            rest.remove(column)
            break
    if len(rest) < 2 or (not moments and not roles and len(one.columns) > 2):
        return {}
    first, second = rest[:2]
    turned = _fits(one.rows[first], ASIN) and _fits(one.rows[second], REVIEWER)
    roles["user"], roles["item"] = (second, first) if turned else (first, second)
    return roles


def _fits(values: pd.Series, pattern: re.Pattern[str]) -> bool:
    return bool(
        values.astype(str).map(lambda text: pattern.fullmatch(text) is not None).mean() > 0.8
    )


def _settled(best: Candidate, looks: Sequence[Look], columns: Mapping[str, str]) -> Candidate:
    """The candidate, once no column of it is a mere guess between equals. Raises Unclear."""
    if best.rivals and "time" not in columns:
        names = ", ".join((best.spec.time or "", *best.rivals))
        raise Unclear(
            f"{best.look.name}: several columns may tell the time: {names}; name one with "
            "--time-column",
            [best.look],
            ["time"],
        )
    return replace(best, reasons={**best.reasons, **_reasons(looks)})


def _none(folder: Path, looks: Sequence[Look]) -> DataError:
    if not looks:
        return DataError(f"{folder}: holds no file but pictures, or nothing at all")
    tables = [one for one in looks if one.is_table and len(one.columns) > 1 and not one.rows.empty]
    seen = "; ".join(f"{t.name}: {', '.join(t.columns)}" for t in looks if t.is_table and t.columns)
    others = "; ".join(
        f"{one.name}: {one.why_not or 'words for people'}" for one in looks if not one.is_table
    )
    message = (
        f"{folder}: no file here looks like interactions (a table with a header that names a "
        f"user and an item column, or a sequences.txt). Found {seen or 'no table'}. Name file and "
        "columns in dataset.toml or with the flags of `mmbench data import`; text of any ending is "
        "read where it is named (--interactions FILE)"
        f"{f' (no tables: {others})' if others else ''}"
    )
    if not tables:
        return DataError(message)
    listed = "".join(f"\n  {one.name}{_candidates(one)}" for one in tables)
    return Unclear(f"{message}. What may be meant:{listed}", tables, ["user", "item"])


def _candidates(one: Look) -> str:
    """A line for each column: its first values, and what they may be."""
    moments = {w.column for w in whens.find_whens(one, ()) if w.moments}
    said = []
    for column in one.columns:
        values = one.rows[column].astype(str)
        distinct = values.nunique()
        kind = next((f"the {k}, by its name" for k in ROLES if plain(column) in NAMES[k]), "")
        if not kind and column in moments:
            kind = "maybe the time"
        if not kind and distinct <= 21 and pd.to_numeric(values, errors="coerce").notna().all():
            kind = "maybe the rating"
        if not kind and distinct > 1:
            kind = "maybe a user or an item"
        first = ", ".join(text[:20] for text in values.head(3))
        said.append(f"\n    {column}: {first}{f' ({kind})' if kind else ''}")
    return "".join(said)


def _joined(
    folder: Path, looks: Sequence[Look], columns: Mapping[str, str], join: Sequence[str]
) -> Candidate:
    """The candidate of several files together, in the order in which they are named."""
    names: list[str] = []
    for pattern in join:
        fit = [
            one.name for one in looks
            if one.name == pattern or fnmatch.fnmatch(one.name, pattern)
        ]  # fmt: skip
        if not fit:
            raise DataError(f"{folder / pattern}: no such file, to be joined with others")
        names += sorted((n for n in fit if n not in names), key=part_order)
    parts = [one for name in names for one in looks if one.name == name]
    bad = next((one for one in parts if one.why_not), None)
    if bad is not None:
        raise DataError(f"{folder / bad.name}: cannot be joined: {bad.why_not}")
    first = parts[0]
    for one in parts[1:]:
        if set(one.columns) != set(first.columns) or one.reading.format != first.reading.format:
            raise DataError(
                f"{folder / one.name}: cannot be joined with {first.name}: it has "
                f"{', '.join(one.columns) or one.reading.format} and not "
                f"{', '.join(first.columns) or first.reading.format}"
            )
    chosen = _settled(candidate(first, columns, asked=True), looks, columns)
    note = f"joined with {', '.join(names[1:])}; which file an event is from is kept as its split"
    return replace(
        chosen,
        spec=replace(chosen.spec, join=tuple(names[1:])),
        notes=(*chosen.notes, note) if len(names) > 1 else chosen.notes,
    )
