"""What a folder without a ``dataset.toml`` most likely holds: by names, headers and values."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mmbench.data import formats, images
from mmbench.data.clock import examine
from mmbench.data.columns import why_not_by_name
from mmbench.data.events import Candidate, candidate, choose_events
from mmbench.data.ids import identifiers, likeness
from mmbench.data.lists import cell_items
from mmbench.data.log import DataError
from mmbench.data.looks import AS_IT_LOOKS, WITHOUT_COLUMNS, Given, Look, is_telling, look
from mmbench.data.names import NAMES, plain
from mmbench.data.packed import list_names, open_packed
from mmbench.data.spec import EventsSpec, FolderSpec, ImagesSpec, ItemsSpec
from mmbench.hookspecs import DatasetInfo

if TYPE_CHECKING:
    import pandas as pd

SAMPLE = 2000
FEWEST_APART = 0.75  # share of rows that a table of items names for the first time
PATTERNS = ("{item}.*", "*/{item}.*", "*/*/{item}.*")
MOST = 400  # files that are looked into


@dataclass(frozen=True, slots=True)
class Survey:
    """What a folder holds.

    Attributes:
        spec: the guess.
        looks: each file but pictures.
        reasons: why a file is not used, by its name.
        notes: what a person must know of how files are read.
    """

    spec: FolderSpec
    looks: tuple[Look, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def guess(
    folder: Path,
    *,
    interactions: str = "",
    items: str = "",
    columns: Mapping[str, str] | None = None,
) -> FolderSpec:
    """The likeliest spec of a folder, see ``survey``."""
    return survey(folder, interactions=interactions, items=items, columns=columns).spec


def survey(
    folder: Path,
    *,
    interactions: str = "",
    items: str = "",
    columns: Mapping[str, str] | None = None,
    join: Sequence[str] = (),
    given: Given = AS_IT_LOOKS,
) -> Survey:
    """What a folder holds, and its likeliest spec.

    Args:
        folder: where to look; in its subfolders and zips too.
        interactions: the file of the events, if it is known.
        items: the file of the items, if it is known.
        columns: the names of columns, if they are known, by kind: ``user``, ``item``, ``time``,
            ``rating``, ``id`` (of the items table), ``title``.
        join: names or patterns of files that together hold the events.
        given: how files are read, where the caller knows.

    Raises:
        DataError: where no file, or more than one alike, looks like events.
    """
    looks = look_around(folder, {interactions, items} - {""}, given)
    chosen = choose_events(folder, looks, interactions, columns or {}, join)
    events, notes = _settle_times(folder, chosen, columns or {})
    used = {events.file, *events.join}
    reasons = dict(chosen.reasons)
    ids = _sample_ids(folder, events, chosen.look.rows)
    others = [one for one in looks if one.is_table and one.name not in used]
    texts = _choose_items(folder, others, ids, items, columns or {}, reasons)
    if texts is None and not items:
        texts = _texts_of_events(chosen, events)
    pictures = _choose_images(folder, ids)
    remarks = (
        *_remarks(events, chosen.unread),
        *(note for note in notes if "several units" in note),
    )
    info = DatasetInfo(
        id=identity(folder.absolute().name), remarks=remarks, text=texts.text if texts else ()
    )
    told = [f"{one.name}: {note}" for one in looks if one.name in used for note in one.notes]
    if texts is not None and texts.file not in used:
        told += [f"{one.name}: {n}" for one in looks if one.name == texts.file for n in one.notes]
    told += [f"{events.file}: {note}" for note in (*chosen.notes, *notes)]
    spec = FolderSpec(info, folder, events, texts, pictures)
    return Survey(spec, tuple(looks), reasons, tuple(told))


def look_around(
    folder: Path, named: set[str], given: Given = AS_IT_LOOKS, *, strict: bool = True
) -> list[Look]:
    """All files of a folder but pictures, as they look.

    Where it is ``strict``, raises DataError for one that cannot be read where it is named, or its
    name is that of a table of events or items: to pass over it in silence would mislead.
    """
    names = [name for name in list_names(folder) if not images.is_image(name)]
    given = replace(given, names=tuple(named))
    looks = []
    for k, name in enumerate(names):
        if k >= MOST and name not in named:
            looks.append(Look(name, why_not=f"not looked into: {len(names):,} files are too many"))
            continue
        one = look(folder, name, given)
        if (
            strict
            and one.error is not None
            and (name in named or (is_telling(name) and "/" not in name))
        ):
            raise one.error
        looks.append(one)
    return looks


def identity(name: str) -> str:
    """A dataset's id, made of its folder's name: that name, where it can be one.

    Otherwise what of it can stand in an id, and a digest, so that names that differ give ids that
    do, whatever their letters.
    """
    plain_name = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")
    if plain_name == name:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{plain_name or 'dataset'}-{digest}"


def _remarks(events: EventsSpec, unread: str) -> tuple[str, ...]:
    if events.format in WITHOUT_COLUMNS or (events.history and events.time is None):
        return ("times are positions: the source tells only an order",)
    if events.format == "impressions":
        return ("times are positions: the source tells no moments of what was clicked earlier",)
    if events.time is None and unread:
        return (
            f"times are positions: the source's own, in {unread!r}, were not read, so the order of "
            "its rows is taken",
        )
    if events.time is None:
        return ("times are positions: the source has no times, so the order of its rows is taken",)
    return ()


def _settle_times(
    folder: Path, chosen: Candidate, columns: Mapping[str, str]
) -> tuple[EventsSpec, list[str]]:
    """The events' spec with how its times are read, and what a person must know of that."""
    spec = chosen.spec
    if spec.time is None or spec.format in WITHOUT_COLUMNS or "+" in spec.time:
        return spec, []
    notes: list[str] = []
    unit, form = spec.unit, spec.time_format
    for name in (spec.file, *spec.join):
        path = folder / name
        if spec.time not in chosen.look.columns:
            return spec, []  # said when it is read
        times = examine(formats.read_table(path, spec.reading, [spec.time])[spec.time], path)
        if times is None:
            return spec, []  # said with its row when it is read
        unit = "each" if times.unit == "each" else unit
        form = times.form or form
        notes += times.notes
    return replace(spec, unit=unit, time_format=form), notes  # type: ignore[arg-type]


def _sample_ids(folder: Path, spec: EventsSpec, rows: pd.DataFrame) -> set[str]:
    """Item ids of some events, in the plainest spelling; empty where columns are to be named.

    ``rows`` are the first ones of a table.
    """
    path = folder / spec.file
    if spec.format == "rows":
        return set()  # ids are made of texts
    if spec.format == "sequences":
        with open_packed(path) as file:
            lines = [
                line.decode(spec.encoding or "utf-8", "replace")
                for line in itertools.islice(file, SAMPLE)
            ]
        return likeness(item for line in lines for item in line.split()[1:])
    if spec.format == "impressions":
        events = formats.read_events(path, replace(spec, join=()))
        return likeness(events["item"].head(20 * SAMPLE))
    if spec.item not in rows:
        return set()
    found: set[str] = set()
    if spec.history != spec.item:
        told = rows[spec.item].dropna()
        found = likeness(identifiers(told[told.astype(str).str.strip() != ""], path))
    if spec.history in rows:
        found |= likeness(item for cell in rows[spec.history] for item in cell_items(cell))
    return found


def _choose_items(
    folder: Path,
    tables: Sequence[Look],
    ids: set[str],
    named: str,
    columns: Mapping[str, str],
    reasons: dict[str, str],
) -> ItemsSpec | None:
    """The table with an id column that holds most of the events' ids, then with most text.

    ``reasons`` is told why the others are not taken.
    """
    best: tuple[float, bool, bool, int] = (0.0, False, False, 0)
    chosen = None
    for table in tables:
        if (named and table.name != named) or (table.name in reasons and not named):
            continue
        if not named and candidate(table, {}).worth:
            reasons.setdefault(table.name, f"names users too (--interactions {table.name})")
            continue
        column, share = _id_column(folder, table, ids, columns)
        if column is None:
            reasons.setdefault(table.name, _why_no_ids(table, ids))
            continue
        if share == 0.0 and not named:
            reasons.setdefault(
                table.name,
                f"{column} repeats its ids: its rows are no items, or the first of each counts "
                f"(--items {table.name} --repeated first)",
            )
            continue
        text = _text_columns(table, column, columns)
        title = _title(table, columns) is not None
        role = table.known is not None and table.known.role == "items"
        worth = (round(share, 1), role, title, len(text))
        why = f"{column} holds {share:.0%} of the items that some events name"
        if text and worth > best:
            if chosen is not None:
                reasons[chosen.file] = f"{table.name} fits better (--items {chosen.file})"
            best, reading = worth, table.reading
            chosen = ItemsSpec(
                table.name, reading.format, column, text,
                reading.delimiter, reading.columns, reading.encoding,
            )  # fmt: skip
        elif not text:
            reasons.setdefault(table.name, f"{why}, but it has no text")
        else:
            other = chosen.file if chosen else ""
            reasons.setdefault(table.name, f"{why}, but {other} fits better (--items {table.name})")
    if chosen is not None and best[0] < 0.9:
        for name, why in list(reasons.items()):
            if f"but {chosen.file} fits better" in why:
                reasons[name] = f"{why}; one table is read: put parts of the items into one file"
    if named and chosen is None:
        raise DataError(
            f"{folder / named}: none of its columns holds the ids of the events' items; name it "
            "(`id` under [items] in dataset.toml)"
        )
    return chosen


def _why_no_ids(table: Look, ids: set[str]) -> str:
    """Why a table is not that of the items; with ids of both, where it names some."""
    why = "none of its columns holds the ids of the events' items"
    named = next((c for c in table.columns if plain(c) in {*NAMES["item"], "id"}), None)
    if named is None or not ids or table.rows.empty:
        return why
    return f"{why}: {named} is like {str(table.rows[named].iloc[0])!r}, theirs like {min(ids)!r}"


def _id_column(
    folder: Path, table: Look, ids: set[str], columns: Mapping[str, str]
) -> tuple[str | None, float]:
    """The column that holds most of ``ids``, and its share; 0 where its rows are no items."""
    known = {*NAMES["item"], "id"}
    given = columns.get("id")
    likely = [
        c for c in table.columns
        if c == given or (not given and (plain(c) in known or re.fullmatch(r"column \d+", c)))
    ]  # fmt: skip
    likely = likely or ([] if given else list(table.columns)[:3])
    best: tuple[str | None, float] = (None, 0.0)
    for column in likely:
        values = formats.read_table(folder / table.name, table.reading, [column])[column].dropna()
        values = values[values.astype(str).str.strip() != ""]
        if values.empty or not ids:
            continue
        found = likeness(identifiers(values, folder / table.name))
        share = len(ids & found) / len(ids)
        if len(found) < FEWEST_APART * len(values):
            share = 0.0 if best[1] == 0 else -1.0
        if share > best[1] or (share == 0.0 and best[0] is None and ids & found):
            best = column, share
    return best


def _title(table: Look, columns: Mapping[str, str]) -> str | None:
    named = columns.get("title")
    if named in table.columns:
        return named
    if table.known is not None and table.known.text and table.known.text[0] in table.columns:
        return table.known.text[0]
    by_name = {plain(c): c for c in reversed(table.columns)}
    return next((by_name[name] for name in NAMES["title"] if name in by_name), None)


def _text_columns(table: Look, column: str, columns: Mapping[str, str]) -> tuple[str, ...]:
    """The columns worth showing to a model, the title first."""
    if table.known is not None and table.known.text and set(table.known.text) <= set(table.columns):
        return table.known.text
    text = [c for c in table.columns if c != column and not why_not_by_name(c)]
    title = _title(table, columns)
    return tuple(sorted(text, key=lambda c: c != title))


def _texts_of_events(chosen: Candidate, events: EventsSpec) -> ItemsSpec | None:
    """The events' own table as that of the items, where a column tells each item's title in it."""
    rows, title = chosen.look.rows, _title(chosen.look, {})
    if (
        title is None
        or events.item not in rows
        or events.join
        or title in (events.user, events.item)
    ):
        return None
    texts = rows[[events.item, title]].astype(str)
    repeated = texts[texts[events.item].duplicated(keep=False)]
    if repeated.empty or (repeated.groupby(events.item)[title].nunique() > 1).mean() > 0.05:
        return None
    reading = chosen.look.reading
    return ItemsSpec(
        events.file, reading.format, events.item, (title,),
        reading.delimiter, reading.columns, reading.encoding, "first",
    )  # fmt: skip


def _choose_images(folder: Path, ids: set[str]) -> ImagesSpec | None:
    """The zip or folder with pictures of most of the events' items.

    Only where no file is named by an id alone, one with words before or behind it is.
    """
    places = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    places = [path for path in places if path.is_dir() or path.suffix.lower() == ".zip"]
    if any(images.is_image(path.name) for path in folder.iterdir() if path.is_file()):
        places.append(folder)
    listed = {}
    for path in places:
        with contextlib.suppress(DataError):  # said with the other files
            listed[path] = list(images.list_files(path))
    for plainly in (True, False):
        best, chosen = 0, None
        for path, names in listed.items():
            for pattern in PATTERNS if plainly else _patterns(names):
                found = len(ids & likeness(images.pair(names, pattern)))
                if found > best:
                    place = "." if path == folder else path.name
                    best, chosen = found, ImagesSpec(place, pattern)
        if chosen is not None:
            return chosen
    return None


def _patterns(names: Sequence[str]) -> list[str]:
    """Patterns with words before or behind an item's id, as in ``img_7.jpg`` and ``7_0.jpg``."""
    stems = [PurePosixPath(name).stem for name in names]
    pairs = zip(min(stems, default=""), max(stems, default=""), strict=False)
    begin = "".join(a for a, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    begin = begin.rstrip("0123456789")  # ids may begin alike
    ends = ["{item}_*", "{item}-*", "*_{item}.*", "*-{item}.*"]
    ends += [f"{begin}{{item}}.*"] if begin and len(set(stems)) > 1 else []
    return [f"{depth}{end}" for end in ends for depth in ("", "*/", "*/*/")]
