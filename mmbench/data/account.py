"""What an import has used of a folder and what not: each file, each column, and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmbench.data import images
from mmbench.data.columns import why_not_by_name
from mmbench.data.formats import header
from mmbench.data.log import DataError
from mmbench.data.looks import WITHOUT_COLUMNS, Look
from mmbench.data.packed import list_names
from mmbench.data.spec import EventsSpec, FolderSpec
from mmbench.hookspecs import RawDataset

NOBODY = {"nan", "none", "null", "n/a", "<na>", "undefined", "nil", "\\n", "-", "?"}
HTML = re.compile(r"&(?:#\d+|amp|lt|gt|quot|apos|nbsp);|</?(?:b|i|p|br|em|span|a)\b[^>]*>")
MANY = 12  # files alike that are told in one line


@dataclass(frozen=True, slots=True)
class FileUse:
    """What became of a file.

    Attributes:
        name: its path in the folder; of many alike, a pattern.
        use: what it was used for, or why it was not.
        used: whether it was.
        columns: column to what it was used for, or why it was not.
    """

    name: str
    use: str
    used: bool
    columns: Mapping[str, str] = field(default_factory=dict)


def account(
    spec: FolderSpec,
    looks: Sequence[Look],
    reasons: Mapping[str, str],
    left_out: Mapping[str, str] = {},
    raw: RawDataset | None = None,
) -> list[FileUse]:
    """What became of each file of a folder.

    Args:
        spec: what was agreed on.
        looks: the files but pictures, as they look.
        reasons: why files are not used, by name, where that is known better than by their looks.
        left_out: columns of the items table that no model may read, and why.
        raw: what was read, if it was.
    """
    events, items = spec.interactions, spec.items
    tables = dict.fromkeys([events.file, *events.join, *([items.file] if items else [])])
    columns = {one.name: one.columns for one in looks}
    uses = [_table(spec, name, columns.get(name), left_out) for name in tables]
    named = {one.name for one in uses}
    pictures = _pictures(spec, raw)
    inside = {one.name for one in pictures if one.used}
    for one in looks:
        if one.name not in named and not any(_within(one.name, place) for place in inside):
            why = reasons.get(one.name) or one.why_not or "nothing asks for it"
            listed = dict.fromkeys(one.columns, "") if one.is_table else {}
            uses.append(FileUse(one.name, why, False, listed))
    return [*_gathered(uses), *pictures]


def left_out(spec: FolderSpec, card: Mapping[str, Any] | None) -> dict[str, str]:
    """Which columns of the items table are no text for models, and why, as far as rules say.

    Args:
        spec: what was guessed or imported.
        card: of the imported dataset, if it is: what values tell is in it.
    """
    if spec.items is None:
        return {}
    events = spec.interactions
    taken = {spec.items.id, *spec.items.text}
    if spec.items.file == events.file:
        taken |= {events.user, events.item, events.time or "", events.rating or ""}
    names = header(spec.root / spec.items.file, spec.items.reading)
    reasons = {name: why_not_by_name(name) for name in names if name not in taken}
    return {n: why for n, why in reasons.items() if why} | dict(card["left_out"] if card else {})


def _within(name: str, place: str) -> bool:
    return place == "." or name == place or name.startswith(f"{place}/")


def _table(
    spec: FolderSpec, name: str, columns: Sequence[str] | None, left_out: Mapping[str, str]
) -> FileUse:
    """The use of a file of the events, the items, or both; ``columns`` where they are known."""
    events, items = spec.interactions, spec.items
    of_events = name in (events.file, *events.join)
    of_items = items is not None and items.file == name
    use = " and ".join(
        [*(["the events"] if of_events else []), *(["the items"] if of_items else [])]
    )
    reading = events.reading if of_events or items is None else items.reading
    if reading.format in WITHOUT_COLUMNS:
        return FileUse(name, f"{use} ({reading.format})", True)
    found: dict[str, str] = {}
    for column in columns or header(spec.root / name, reading):
        told = _of_events(events, column) if of_events else ""
        if of_items and items is not None and not told:
            if column == items.id:
                told = "the item's id"
            elif column in left_out:
                told = f"no model reads it: it {left_out[column]}"
            elif column in items.text or not items.text:
                told = "text" if column != (items.text or (column,))[0] else "text, the title"
            else:
                why = why_not_by_name(column)
                told = f"no model reads it: it {why}" if why else "not used"
        found[column] = told or "not used"
    if events.format == "impressions" and of_events:
        found = dict.fromkeys(found, "used") | {events.columns[0]: "not used"}
    return FileUse(name, use, True, found)


def _of_events(events: EventsSpec, column: str) -> str:
    """What a column of events is used for; empty where it is not."""
    if column == events.item == events.history:
        return "the items, oldest first"
    stamps = [events.time, *(events.time or "").split("+")]
    unit = f" ({events.unit or events.time_format})" if events.unit or events.time_format else ""
    roles = {
        events.user: "the user",
        events.item: "the item",
        events.rating: "the rating",
        events.history: "the items before it",
        events.split: "the published split, kept beside the events; named protocols make their "
        "own, --local-split makes it one",
    }
    return roles.get(column, "") or (f"the time{unit}" if column in stamps else "")


def _gathered(uses: Sequence[FileUse]) -> list[FileUse]:
    """Files that are not used, many of them alike and for one reason, as one line."""

    def kind(one: FileUse) -> tuple[str, str, str]:
        path = Path(one.name)
        return path.parent.as_posix(), path.suffix, one.use

    counts = Counter(kind(one) for one in uses if not one.used)
    shown: list[FileUse] = []
    done = set()
    for one in uses:
        group = kind(one)
        if one.used or counts[group] < MANY:
            shown.append(one)
        elif group not in done:
            done.add(group)
            folder = "" if group[0] == "." else f"{group[0]}/"
            name = f"{folder}*{group[1]} ({counts[group]:,} files, such as {Path(one.name).name})"
            shown.append(FileUse(name, one.use, False))
    return shown


def _pictures(spec: FolderSpec, raw: RawDataset | None) -> list[FileUse]:
    """What became of pictures, a line for each folder or zip that holds some."""
    counts: Counter[str] = Counter()
    for name in list_names(spec.root):
        if images.is_image(name):
            counts[name.partition("/")[0] if "/" in name else "."] += 1
    if spec.images is None:
        why = "whose name holds no item's id (--images, --image-pattern)"
        return [FileUse(place, f"{_files(n)}, {why}", False) for place, n in counts.items()]
    path = spec.images.path
    try:
        names = list(images.list_files(spec.root / path))
    except DataError as error:
        return [FileUse(path, str(error), False)]
    use = f"{_files(len(names))}, by the pattern {spec.images.pattern}"
    if raw is not None:
        known = set(raw.events["item"])
        pictured = len(known & set(raw.images))
        spare = len(names) - pictured
        use += f": {pictured:,} of {len(known):,} items have one"
        use += f"; {spare:,} more fit no item, or one that has another" if spare else ""
    others = [(place, n) for place, n in counts.items() if path not in (place, ".")]
    return [
        FileUse(path, use, True),
        *(
            FileUse(place, f"{_files(n)} in another place (--images {place})", False)
            for place, n in others
        ),
    ]


def _files(count: int) -> str:
    return f"{count:,} picture{'s' * (count != 1)}"


def oddities(raw: RawDataset) -> list[str]:
    """Ids and titles that may stand for none, and titles with HTML; all are taken as they are."""
    said = []
    for column, whom in (("user", "a user"), ("item", "an item")):
        counts = raw.events[column].value_counts()
        odd = [one for one in counts.index if one.casefold().strip() in NOBODY]
        said += [
            f"{counts[one]:,} events are of {whom} called {one!r}, which may stand for none"
            for one in odd
        ]
    if raw.items.shape[1] > 1:
        titles = raw.items.iloc[:, 1]
        empty = [text for text in titles.tolist() if text.casefold().strip() in NOBODY]
        if empty:
            said.append(
                f"{len(empty):,} items have a title such as {empty[0]!r}, which may stand for none"
            )
        marked = [text for text in titles.tolist() if HTML.search(text)]
        if marked:
            said.append(
                f"{len(marked):,} titles hold HTML, such as {marked[0][:60]!r}: models read it as "
                "it is"
            )
    return said


def losses(card: Mapping[str, Any]) -> list[str]:
    """What a card says that the recipe took away, and what items lack, in sentences."""
    said = []
    for before, after in zip(card["steps"], card["steps"][1:], strict=False):
        gone = {what: before[what] - after[what] for what in ("users", "items", "events")}
        if any(gone.values()):
            counts = ", ".join(f"{count:,} {what}" for what, count in gone.items() if count)
            said.append(f"the recipe keeps only {after['step']}: {counts} go")
    if card["unknown_items"]:
        said.append(f"{card['unknown_items']:,} items of events have no row in the items table")
    titled = round(card["without_title"] * card["items"])
    if card["text"] and titled:
        said.append(f"{titled:,} items have no title")
    if card["unusable_pictures"]:
        said.append(
            f"{card['unusable_pictures']:,} items have a picture that is damaged, too large or "
            "unreadable, and count as having none"
        )
    return said


def lines(files: Sequence[FileUse], notes: Sequence[str]) -> list[str]:
    """The account for people, a line for each file and column."""
    shown = []
    for one in files:
        shown.append(f"{one.name}: {one.use if one.used else f'not used: {one.use}'}")
        if one.used:
            shown += [f"  {column}: {use}" for column, use in one.columns.items()]
        elif one.columns:
            shown.append(f"  columns: {', '.join(one.columns)}")
    return [*shown, *notes]
