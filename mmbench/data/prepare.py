"""From a source as it was read to a prepared log.

The steps, in this order, each counted in the card: events rated below ``min_rating`` go; items
without what ``require`` names go; a user's repeated items are thinned as ``duplicates`` says; users
and items with fewer than ``core`` events go, until none is left; users with fewer than
``min_length`` events go. The catalogue is every item that still has an event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mmbench.data.card import describe
from mmbench.data.columns import why_not
from mmbench.data.fingerprint import (
    Fingerprints,
    events_fingerprint,
    pictures_fingerprint,
    spell,
    text_fingerprint,
)
from mmbench.data.images import list_files
from mmbench.data.log import DataError, Log
from mmbench.data.pictures import HandedOver, hand_over
from mmbench.data.secret import keyed, make_secret, secret_order
from mmbench.hookspecs import DatasetInfo, RawDataset
from mmbench.views import Int64, Items

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]


@dataclass(slots=True)
class _Events:
    """Events in (user, moment, row) order; ids are codes into sorted lists of raw ids.

    Attributes:
        user: int64[n].
        item: int64[n].
        time: int64[n], seconds or positions.
        nanosecond: int64[n], of its second; with ``time`` the moment.
        rating: float64[n], or None.
    """

    user: Int64
    item: Int64
    time: Int64
    nanosecond: Int64
    rating: NDArray[np.float64] | None

    def take(self, rows: Mask | Int64) -> None:
        """Keep the marked rows, or take rows by their places, in that order."""
        for name in ("user", "item", "time", "nanosecond"):
            setattr(self, name, getattr(self, name)[rows])
        if self.rating is not None:
            self.rating = self.rating[rows]

    def tied(self) -> Mask:
        """bool[n - 1]: whether an event is at the same moment as the next, of the same user."""
        same: Mask = self.user[1:] == self.user[:-1]
        for column in (self.time, self.nanosecond):
            same &= column[1:] == column[:-1]
        return same

    def counts(self, step: str) -> dict[str, Any]:
        return {
            "step": step,
            "users": len(np.unique(self.user)),
            "items": len(np.unique(self.item)),
            "events": len(self.user),
        }


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a source.

    Attributes:
        none: raw item id to an empty text, for all items of the items table.
        fields: column to raw item id to text, the title first.
        left_out: columns that no model may read, and why.
    """

    none: Mapping[str, str]
    fields: Mapping[str, Mapping[str, str]]
    left_out: Mapping[str, str]

    @property
    def titles(self) -> Mapping[str, str]:
        """Raw item id to title; empty texts where there is no text column."""
        return next(iter(self.fields.values()), self.none)


def prepare(
    raw: RawDataset,
    info: DatasetInfo,
    pictures: Path | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, unit: None,
) -> Log:
    """Filter, order and number a source, and make the file of its pictures.

    Args:
        raw: as it was read.
        info: with the recipe.
        pictures: where files of pictures lie, see ``mmbench.data.pictures``; without it the log
            has none.
        progress: told of the pictures that are done.

    Users and items are numbered in the order of the log's secret, so that a number tells nothing of
    a raw id, nor of when or by whom an item was used. Raises DataError where the source breaks its
    contract or a step leaves no event.
    """
    recipe = info.recipe
    events, users, catalogue = _encode(raw, info)
    # Positions count from any start, but always in steps of one.
    neighbours = events.user[1:] == events.user[:-1]
    clock = not bool(np.all(np.diff(events.time)[neighbours] == 1))
    if recipe.ties != "hash" and not clock:
        raise DataError(
            f"{info.id}: the source tells no times but only an order, which is kept; leave out "
            f"ties = {recipe.ties!r}"
        )
    texts = choose_texts(raw, info)
    steps = _filter(events, raw, info, catalogue, texts.titles)
    secret, user_ids, item_ids = _number(events, users, catalogue, clock and recipe.ties == "hash")
    unknown = sum(item not in texts.titles for item in item_ids[1:]) if len(raw.items) else 0
    handed = _hand_over(raw, item_ids, pictures, progress)
    fields = {
        name: ("", *(column.get(item, "") for item in item_ids[1:]))
        for name, column in texts.fields.items()
    }
    items = Items(len(item_ids) - 1, fields, handed.images if handed else None)
    log = Log(
        id=info.id,
        fingerprints=Fingerprints(""),
        secret=secret,
        user=events.user.astype(np.int32),
        item=events.item.astype(np.int32),
        time=events.time.astype(np.int64),
        n_users=len(user_ids),
        n_items=items.n_items,
        items=items,
        user_ids=user_ids,
        item_ids=item_ids,
        picture_source=handed.source if handed else None,
    )
    prints = Fingerprints(
        events_fingerprint(log, steps, asdict(recipe)),
        text_fingerprint(items),
        pictures_fingerprint(handed.source.digests if handed else ()),
    )
    log = replace(log, fingerprints=prints)
    card = describe(
        log,
        info,
        steps=steps,
        ceilings=raw.ceilings,
        clock=clock,
        unknown_items=unknown,
        left_out=texts.left_out,
        unusable_pictures=handed.unusable if handed else 0,
    )
    return replace(log, card=card)


def _number(
    events: _Events, users: Sequence[str], catalogue: Sequence[str], ties: bool
) -> tuple[bytes, tuple[str, ...], tuple[str, ...]]:
    """Turn ``events`` from codes to numbers, in place; the secret, and the raw ids by number.

    ``ties``: whether events at the same moment are put in the order of the secret.
    """
    user_codes, user = np.unique(events.user, return_inverse=True)
    item_codes, item = np.unique(events.item, return_inverse=True)
    user_ids = [users[code] for code in user_codes]
    item_ids = [catalogue[code] for code in item_codes]
    secret = make_secret(user_ids, item_ids, user, item, events.time)
    events.user, events.item = user, item
    if ties:
        _order_ties(events, secret, user_ids, item_ids)
    user_order = secret_order(secret, "users", user_ids)
    item_order = secret_order(secret, "items", item_ids)
    events.user = np.argsort(user_order)[events.user]
    events.item = np.argsort(item_order)[events.item] + 1
    events.take(np.argsort(events.user, kind="stable"))
    return (
        secret,
        tuple(user_ids[k] for k in user_order),
        ("", *(item_ids[k] for k in item_order)),
    )


def _order_ties(
    events: _Events, secret: bytes, user_ids: Sequence[str], item_ids: Sequence[str]
) -> None:
    """Put the events of a user at the same moment in the order of a hash.

    It is of the secret, the raw user, the raw item, and how many events with that item the user has
    before: where two items come together again and again, their order is drawn each time.
    """
    together = events.tied()
    drawn = np.flatnonzero(np.append(together, False) | np.append(False, together))
    digest = keyed(secret, "ties")
    before = _earlier(events)
    keys = np.zeros(len(events.user), dtype=np.uint64)
    for row in drawn.tolist():
        told = spell([user_ids[events.user[row]], item_ids[events.item[row]], str(before[row])])
        keys[row] = int.from_bytes(digest(told)[:8], "little")
    order = np.lexsort((events.item, keys, events.nanosecond, events.time, events.user))
    events.take(order)


def _earlier(events: _Events) -> Int64:
    """int64[n]: how many events with the same item the user has before, all moments counted."""
    order = np.lexsort((events.nanosecond, events.time, events.item, events.user))
    user, item = events.user[order], events.item[order]
    opens = np.append(True, (user[1:] != user[:-1]) | (item[1:] != item[:-1]))
    places = np.arange(len(order))
    counts = np.empty(len(order), dtype=np.int64)
    counts[order] = places - np.maximum.accumulate(np.where(opens, places, 0))
    return counts


def _encode(raw: RawDataset, info: DatasetInfo) -> tuple[_Events, list[str], list[str]]:
    """Events as codes in (user, moment, row) order, and the sorted raw ids of both kinds."""
    for column in ("user", "item", "time"):
        if column not in raw.events:
            raise DataError(f"{info.id}: its events have no column {column!r}")
    if raw.events.empty:
        raise DataError(f"{info.id}: there is no event in the source")
    if "item" not in raw.items:
        raise DataError(f"{info.id}: its items have no column 'item'")
    repeated = raw.items["item"][raw.items["item"].duplicated()]
    if len(repeated):
        raise DataError(f"{info.id}: item {repeated.iloc[0]!r} has more than one row of items")
    user, users = _codes(raw.events["user"])
    item, items = _codes(raw.events["item"])
    time = raw.events["time"].to_numpy(dtype=np.int64)
    finer = np.zeros_like(time)
    if "nanosecond" in raw.events:
        finer = raw.events["nanosecond"].to_numpy(dtype=np.int64)
    ratings = raw.events["rating"].to_numpy(np.float64) if "rating" in raw.events else None
    events = _Events(user, item, time, finer, ratings)
    events.take(np.lexsort((finer, time, user)))  # stable: equal moments keep the source's order
    known = set(raw.items["item"])
    unknown = [one for one in items if one not in known] if known else []
    if 2 * len(unknown) > len(items):
        raise DataError(
            f"{info.id}: {len(unknown):,} of the {len(items):,} items that events name have no row "
            f"in the items table, such as {', '.join(map(repr, unknown[:3]))} (its own ids look "
            f"like {raw.items['item'].iloc[0]!r}); name the column that holds the same ids (`id` "
            "under [items] in dataset.toml)"
        )
    return events, users, items


def _codes(column: pd.Series) -> tuple[Int64, list[str]]:
    """Codes into the sorted distinct values."""
    codes, values = pd.factorize(column.to_numpy(dtype=object), use_na_sentinel=False)
    odd = [value for value in values if not isinstance(value, str)]
    if odd:
        raise DataError(f"the {column.name} ids must be strings, and {odd[0]!r} is none")
    if "\0" in "".join(column.tolist()):  # where many a pandas ends a text, and takes two for one
        raise DataError(f"the {column.name} ids hold the character NUL: is the encoding right?")
    order = sorted(range(len(values)), key=values.__getitem__)
    place = np.empty(len(values), dtype=np.int64)
    place[order] = np.arange(len(values))
    return place[codes], [values[k] for k in order]


def choose_texts(raw: RawDataset, info: DatasetInfo) -> Texts:
    """The text columns that models may read. Raises DataError where one lacks or holds no text."""
    columns = [str(column) for column in raw.items.columns if column != "item"]
    chosen = list(info.text) or columns
    missing = [column for column in chosen if column not in columns]
    if missing:
        raise DataError(
            f"{info.id}: its items have no text column {missing[0]!r}; "
            f"there are {', '.join(columns) or 'none'}"
        )
    for name in chosen:
        odd = [text for text in raw.items[name] if not isinstance(text, str)]
        if odd:
            raise DataError(
                f"{info.id}: the text column {name!r} holds {odd[0]!r}, which is no string; "
                "a missing text is an empty string"
            )
    ids = raw.items["item"].tolist()
    texts = {name: dict(zip(ids, raw.items[name].tolist(), strict=True)) for name in chosen}
    counts, ratings = _popularity(raw)
    reasons = {name: why_not(name, column, counts, ratings) for name, column in texts.items()}
    return Texts(
        dict.fromkeys(ids, ""),
        {name: texts[name] for name in chosen if not reasons[name]},
        {name: reason for name, reason in reasons.items() if reason},
    )


def _popularity(raw: RawDataset) -> tuple[dict[str, int], dict[str, float]]:
    """Each item's number of events in the source, and its mean rating, where there are ratings."""
    counts = {str(item): int(n) for item, n in raw.events["item"].value_counts().items()}
    if "rating" not in raw.events:
        return counts, {}
    means = raw.events.groupby("item")["rating"].mean().dropna()
    return counts, {str(item): float(mean) for item, mean in means.items()}


def _filter(
    events: _Events,
    raw: RawDataset,
    info: DatasetInfo,
    catalogue: Sequence[str],
    titles: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Apply the recipe to ``events`` in place; the counts after each step."""
    recipe = info.recipe
    steps = [events.counts("source")]

    def done(step: str) -> None:
        steps.append(events.counts(step))
        if not len(events.user):
            before = steps[-2]
            raise DataError(
                f"{info.id}: the step {step!r} leaves no event of {before['events']:,} "
                f"({before['users']:,} users, {before['items']:,} items); relax the recipe"
            )

    if recipe.min_rating is not None:
        if events.rating is None:
            raise DataError(
                f"{info.id}: min_rating = {recipe.min_rating:g} needs ratings, and there are none; "
                "name their column (`rating` under [interactions]) or drop min_rating"
            )
        events.take(events.rating >= recipe.min_rating)
        done(f"rated {recipe.min_rating:g} or more")
    for what in recipe.require:
        has = {"text": lambda i: titles.get(i, "").strip() != "", "image": raw.images.__contains__}
        kept = np.array([has[what](item) for item in catalogue], dtype=bool)
        events.take(kept[events.item])
        done({"text": "items with a title", "image": "items with an image"}[what])
    if recipe.duplicates != "keep":
        events.take(_single(events, recipe.duplicates == "last"))
        done(f"only the {recipe.duplicates} of a user's repeated items")
    if recipe.core > 1:
        _core(events, recipe.core)
        done(f"{recipe.core}-core")
    if recipe.min_length > 1:
        lengths = np.bincount(events.user)
        events.take(lengths[events.user] >= recipe.min_length)
        done(f"users with {recipe.min_length} events or more")
    return steps


def _single(events: _Events, last: bool) -> Mask:
    """Marks the first (or last) event of each user with each item."""
    pair = events.user * (events.item.max() + 1) + events.item
    _, index = np.unique(pair[::-1] if last else pair, return_index=True)
    kept = np.zeros(len(pair), dtype=bool)
    kept[len(pair) - 1 - index if last else index] = True
    return kept


def _core(events: _Events, k: int) -> None:
    """Drop users and items with fewer than ``k`` events until there are none such."""
    while True:
        kept = (np.bincount(events.user)[events.user] >= k) & (
            np.bincount(events.item)[events.item] >= k
        )
        if kept.all():
            return
        events.take(kept)
        if not len(events.user):
            return


def _hand_over(
    raw: RawDataset,
    item_ids: Sequence[str],
    folder: Path | None,
    progress: Callable[[int, int, str], None],
) -> HandedOver | None:
    """The items' pictures in one file below ``folder``, if there are pictures and a folder."""
    names = (None, *(raw.images.get(item) for item in item_ids[1:]))
    if raw.images_root is None or not any(names):
        return None
    there = list_files(raw.images_root)
    absent = [name for name in names if name is not None and name not in there]
    if absent:
        raise DataError(f"{raw.images_root}: there is no picture {absent[0]!r}")
    return hand_over(raw.images_root, names, folder, progress) if folder is not None else None
