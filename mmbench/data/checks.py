"""The contract of a dataset plugin, executable.

A package's own test takes it whole::

    @pytest.fixture(scope="module")
    def examined(tmp_path_factory):
        return examine(TeaShop, tmp_path_factory.mktemp("cache"))

    @pytest.mark.parametrize("check", CHECKS)
    def test_conformance(check, examined):
        check(examined)

and pins the first, the tenth and the last event of its source with ``records``.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.data.images import list_files
from mmbench.data.log import DataError
from mmbench.data.pictures import encode_anew, open_files
from mmbench.data.plugin import Plugin
from mmbench.data.spec import check_id
from mmbench.data.watch import watched
from mmbench.hookspecs import DatasetInfo, RawDataset
from mmbench.views import ImageError

if TYPE_CHECKING:
    import pandas as pd

DAY = 24 * 3600
PICTURES = 20  # how many are opened


@dataclass(frozen=True, slots=True)
class Examined:
    """A dataset plugin after one fetch and two readings.

    Attributes:
        plugin: imported, its hooks checked.
        cache: the folder that was given to ``fetch`` and ``read``.
        raw: the first reading.
        again: the second reading.
        fetched: sha256 of each file that ``fetch`` brought, by its path in ``cache``.
        trespasses: what ``read`` did that it must not: files written elsewhere, sockets opened.
    """

    plugin: Plugin
    cache: Path
    raw: RawDataset = field(repr=False)
    again: RawDataset = field(repr=False)
    fetched: dict[str, str]
    trespasses: tuple[str, ...]

    @property
    def info(self) -> DatasetInfo:
        """What the dataset says of itself."""
        return self.plugin.info


def examine(kind: type, cache: Path) -> Examined:
    """Fetch a dataset into an empty folder and read it twice, watching what ``read`` touches.

    Args:
        kind: the plugin's class.
        cache: an empty folder.

    Raises:
        DataError: where the class breaks the contract of hooks and ``info``.
        Exception: whatever ``fetch`` or ``read`` raise.
    """
    info = getattr(kind, "info", None)
    name = info.id if isinstance(info, DatasetInfo) else kind.__name__
    plugin = Plugin(name, kind.__qualname__, lambda: kind)
    plugin.fetch(cache, _silent)
    fetched = _digests(cache)
    with watched(cache) as trespasses:
        raw, again = (plugin.read_fetched(cache) for _ in range(2))
    return Examined(plugin, cache, raw, again, fetched, tuple(trespasses))


def records(raw: RawDataset) -> dict[str, tuple[str, str, int]]:
    """``(user, item, time)`` of the first, the tenth and the last event, for a test to pin."""
    rows = {"first": 0, "tenth": min(9, len(raw.events) - 1), "last": len(raw.events) - 1}
    users, items, times = (raw.events[name] for name in ("user", "item", "time"))
    return {
        place: (str(users.iloc[row]), str(items.iloc[row]), int(times.iloc[row]))
        for place, row in rows.items()
    }


def info_is_complete(examined: Examined) -> None:
    """Id and aliases can be typed, and a reader learns name, licence and origin."""
    info = examined.info
    for word in (info.id, *info.aliases):
        try:
            check_id(word)
        except DataError as error:
            raise AssertionError(f"info: {error}") from error
    for word in ("name", "licence", "origin"):
        _require(bool(getattr(info, word).strip()), f"info: {word} is empty")


def tables_have_their_columns(examined: Examined) -> None:
    """``user``, ``item``, ``time`` in events; ``item`` and the texts of ``info`` in items."""
    events, items = examined.raw.events, examined.raw.items
    wanted = [("events", events, name) for name in ("user", "item", "time")]
    wanted += [("items", items, name) for name in ("item", *examined.info.text)]
    for table, frame, name in wanted:
        there = ", ".join(map(str, frame.columns))
        _require(name in frame, f"{table} has no column {name!r}; there are {there}")
    _require(len(events) > 0, "there is no event")


def texts_are_strings(examined: Examined) -> None:
    """Ids are strings that are not empty, texts are strings, a missing one is empty."""
    raw = examined.raw
    columns = [("events", raw.events[name]) for name in ("user", "item")]
    columns += [("items", raw.items[name]) for name in raw.items.columns]
    for table, column in columns:
        odd = [value for value in column.unique() if not isinstance(value, str)]
        _require(not odd, f"{table}: {column.name} holds {_some(odd)}, not only strings")
        if table == "events" or column.name == "item":
            _require("" not in set(column), f"{table}: an id in {column.name} is empty")


def item_ids_are_unique(examined: Examined) -> None:
    """One row of items an id."""
    ids = examined.raw.items["item"]
    repeated = ids[ids.duplicated()].unique()
    _require(not len(repeated), f"items: more than one row of {_some(repeated)}")


def events_name_known_items(examined: Examined) -> None:
    """Every item of an event has its row of items, where there are items at all."""
    known = set(examined.raw.items["item"])
    unknown = sorted(set(examined.raw.events["item"]) - known) if known else []
    _require(not unknown, f"events name {len(unknown)} items without a row: {_some(unknown)}")


def times_are_sane(examined: Examined) -> None:
    """Whole seconds of a moment in the past, or positions 0, 1, 2 ... of each user's events."""
    events = examined.raw.events
    times = events["time"]
    _require(times.dtype.kind in "iu", f"time is {times.dtype}, not whole numbers")
    if "nanosecond" in events:
        finer = events["nanosecond"]
        whole = finer.dtype.kind in "iu" and bool(((finer >= 0) & (finer < 10**9)).all())
        _require(whole, "nanosecond is not a whole number of 0 to 999,999,999 everywhere")
    if _are_positions(events):
        return
    first, last = int(times.min()), int(times.max())
    _require(first >= 0, f"the time {first} is before 1970")
    latest = time.time() + DAY
    hint = "; it looks like milliseconds" if last / 1000 < latest else ""
    _require(last <= latest, f"the time {last} is in the future{hint}")
    _require(len(times) == 1 or first < last, f"all times are {first}: they tell no order")


def texts_are_for_models(examined: Examined) -> None:
    """No text column of ``info`` counts events or names items: no model would be shown it."""
    from mmbench.data.prepare import choose_texts

    try:
        left_out = choose_texts(examined.raw, examined.info).left_out
    except DataError as error:
        raise AssertionError(str(error)) from error
    told = [f"{name} {why}" for name, why in left_out.items() if name in examined.info.text]
    _require(not told, f"info: text names columns that no model may read: {'; '.join(told)}")


def pictures_open(examined: Examined) -> None:
    """Pictures belong to items, are where they should be, and the first ones open."""
    raw = examined.raw
    if not raw.images:
        return
    _require(raw.images_root is not None, "there are images, but images_root is None")
    assert raw.images_root is not None
    absent = sorted(set(raw.images.values()) - set(list_files(raw.images_root)))
    _require(not absent, f"{raw.images_root} has no picture {_some(absent)}")
    known = {*raw.events["item"], *raw.items["item"]}
    strange = sorted(set(raw.images) - known)
    _require(not strange, f"images are of unknown items {_some(strange)}")
    with open_files(raw.images_root) as read:
        for name in list(raw.images.values())[:PICTURES]:
            try:
                encode_anew(name, read(name))
            except ImageError as error:
                raise AssertionError(str(error)) from error


def reading_is_repeatable(examined: Examined) -> None:
    """Two readings answer the same: no chance, no clock, no state."""
    raw, again = examined.raw, examined.again
    for part in ("events", "items"):
        same = getattr(raw, part).equals(getattr(again, part))
        _require(same, f"a second reading has other {part}")
    for part in ("images_root", "images", "ceilings"):
        _require(getattr(raw, part) == getattr(again, part), f"a second reading has other {part}")


def reading_touches_nothing_else(examined: Examined) -> None:
    """``read`` opens no connection and writes nothing outside the folder that it was given.

    Python's own audit events tell; what a C library does by itself stays unseen.
    """
    _require(not examined.trespasses, f"read {'; '.join(examined.trespasses[:5])}")


def damage_is_noticed(examined: Examined) -> None:
    """With a byte changed in each fetched file, the next use mends them all or raises an error."""
    if not examined.fetched:
        return
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        shutil.copytree(examined.cache, cache)
        for name in examined.fetched:
            _damage(cache / name)
        try:
            examined.plugin.read(cache, _silent)
        except Exception:  # noqa: BLE001  refused, with whichever error: just what is asked for
            return
        now = _digests(cache)
        missed = [name for name, digest in examined.fetched.items() if now.get(name) != digest]
    _require(
        not missed,
        f"a changed byte in {_some(missed)} was not noticed; give fetch the file's checksum",
    )


def recipe_leaves_something(examined: Examined) -> None:
    """The recipe leaves users with three events or more: to train on, to validate, to test."""
    from mmbench.data.prepare import prepare

    try:
        log = prepare(examined.raw, examined.info)
    except DataError as error:
        raise AssertionError(str(error)) from error
    longest = int(np.bincount(log.user).max())
    _require(longest >= 3, f"the recipe leaves {log.n_users} users with {longest} events at most")


CHECKS: tuple[Callable[[Examined], None], ...] = (
    info_is_complete,
    tables_have_their_columns,
    texts_are_strings,
    item_ids_are_unique,
    events_name_known_items,
    times_are_sane,
    texts_are_for_models,
    pictures_open,
    reading_is_repeatable,
    reading_touches_nothing_else,
    damage_is_noticed,
    recipe_leaves_something,
)


def _require(kept: bool, broken: str) -> None:
    if not kept:
        raise AssertionError(broken)


def _some(values: Iterable[Any]) -> str:
    listed = list(values)
    return ", ".join(map(repr, listed[:3])) + (" ..." if len(listed) > 3 else "")


def _silent(*_: object) -> None:
    """A progress bar that shows nothing."""


def _are_positions(events: pd.DataFrame) -> bool:
    ordered = events.sort_values(["user", "time"], kind="stable")
    steps = np.diff(ordered["time"].to_numpy())
    same_user = ordered["user"].to_numpy()[1:] == ordered["user"].to_numpy()[:-1]
    return bool(same_user.any() and np.all(steps[same_user] == 1))


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def _damage(path: Path) -> None:
    data = bytearray(path.read_bytes() or b"?")
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
