"""From a source as it was read to a prepared log.

The steps, in this order, each counted in the card: events rated below ``min_rating`` go; items
without what ``require`` names go; a user's repeated items are thinned as ``duplicates`` says; users
and items with fewer than ``core`` events go, until none is left; users with fewer than
``min_length`` events go. The catalogue is every item that still has an event.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from mmbench.data.card import describe
from mmbench.data.images import list_files
from mmbench.data.log import DataError, Log
from mmbench.hookspecs import DatasetInfo, RawDataset, Recipe
from mmbench.views import ImageStore, Int64, Items

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

NUMBERING_SEED = 20140714


@dataclass(slots=True)
class _Events:
    """Events in (user, time, position) order; ids are codes into sorted lists of raw ids."""

    user: Int64
    item: Int64
    time: Int64
    rating: NDArray[np.float64] | None

    def keep(self, kept: Mask) -> None:
        self.user, self.item, self.time = self.user[kept], self.item[kept], self.time[kept]
        if self.rating is not None:
            self.rating = self.rating[kept]

    def counts(self, step: str) -> dict[str, Any]:
        return {
            "step": step,
            "users": len(np.unique(self.user)),
            "items": len(np.unique(self.item)),
            "events": len(self.user),
        }


def prepare(raw: RawDataset, info: DatasetInfo) -> Log:
    """Filter, order and number a source.

    Users are numbered by their sorted raw ids, items by a fixed random permutation of theirs, so
    that an item's number tells nothing of when or by whom it was used. Raises DataError where the
    source breaks its contract or a step leaves no event.
    """
    events, users, catalogue = _encode(raw, info)
    # Positions count from any start, but always in steps of one.
    neighbours = events.user[1:] == events.user[:-1]
    clock = not bool(np.all(np.diff(events.time)[neighbours] == 1))
    titles, fields = _texts(raw, info)
    steps = _filter(events, raw, info, catalogue, titles)
    user_codes, user = np.unique(events.user, return_inverse=True)
    item_codes, item = np.unique(events.item, return_inverse=True)
    number = _permutation(len(item_codes))
    by_number = np.argsort(number)
    item_ids = ("", *(catalogue[code] for code in item_codes[by_number]))
    unknown = sum(item not in titles for item in item_ids[1:]) if len(raw.items) else 0
    images, sizes = _images(raw, item_ids)
    items = Items(
        n_items=len(item_codes),
        fields={
            name: ("", *(texts.get(item, "") for item in item_ids[1:]))
            for name, texts in fields.items()
        },
        images=images,
    )
    log = Log(
        id=info.id,
        fingerprint="",
        user=user.astype(np.int32),
        item=(number[item] + 1).astype(np.int32),
        time=events.time.astype(np.int64),
        n_users=len(user_codes),
        n_items=len(item_codes),
        items=items,
        user_ids=tuple(users[code] for code in user_codes),
        item_ids=item_ids,
    )
    log = replace(log, fingerprint=_fingerprint(log, sizes, steps, info.recipe))
    card = describe(
        log, info, steps=steps, ceilings=raw.ceilings, clock=clock, unknown_items=unknown
    )
    return replace(log, card=card)


def _encode(raw: RawDataset, info: DatasetInfo) -> tuple[_Events, list[str], list[str]]:
    """Events as codes in (user, time, position) order, and the sorted raw ids of both kinds."""
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
    ratings = raw.events["rating"].to_numpy(np.float64) if "rating" in raw.events else None
    order = np.lexsort((time, user))  # stable: equal times keep the order of the source
    events = _Events(
        user[order], item[order], time[order], None if ratings is None else ratings[order]
    )
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
    order = sorted(range(len(values)), key=values.__getitem__)
    place = np.empty(len(values), dtype=np.int64)
    place[order] = np.arange(len(values))
    return place[codes], [values[k] for k in order]


def _texts(
    raw: RawDataset, info: DatasetInfo
) -> tuple[Mapping[str, str], dict[str, Mapping[str, str]]]:
    """``{item id: title}`` (empty without text columns) and ``{field: {item id: text}}``."""
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
    fields = {
        name: cast(Mapping[str, str], dict(zip(ids, raw.items[name].tolist(), strict=True)))
        for name in chosen
    }
    return next(iter(fields.values()), dict.fromkeys(ids, "")), fields


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
        events.keep(events.rating >= recipe.min_rating)
        done(f"rated {recipe.min_rating:g} or more")
    for what in recipe.require:
        has = {"text": lambda i: titles.get(i, "").strip() != "", "image": raw.images.__contains__}
        kept = np.array([has[what](item) for item in catalogue], dtype=bool)
        events.keep(kept[events.item])
        done({"text": "items with a title", "image": "items with an image"}[what])
    if recipe.duplicates != "keep":
        events.keep(_single(events, recipe.duplicates == "last"))
        done(f"only the {recipe.duplicates} of a user's repeated items")
    if recipe.core > 1:
        _core(events, recipe.core)
        done(f"{recipe.core}-core")
    if recipe.min_length > 1:
        lengths = np.bincount(events.user)
        events.keep(lengths[events.user] >= recipe.min_length)
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
        events.keep(kept)
        if not len(events.user):
            return


def _permutation(n: int) -> Int64:
    """A fixed random permutation of ``0..n-1``.

    It sorts the generator's raw words, which no release of numpy may change, unlike the streams of
    ``Generator.permutation``.
    """
    words = np.random.Philox(NUMBERING_SEED).random_raw(n)
    return np.argsort(np.atleast_1d(words), kind="stable").astype(np.int64)


def _images(
    raw: RawDataset, item_ids: Sequence[str]
) -> tuple[ImageStore | None, list[tuple[str, int]]]:
    """The items' pictures, and (name, bytes) of each in item order."""
    names = (None, *(raw.images.get(item) for item in item_ids[1:]))
    if raw.images_root is None or not any(names):
        return None, []
    there = list_files(raw.images_root)
    absent = [name for name in names if name is not None and name not in there]
    if absent:
        raise DataError(f"{raw.images_root}: there is no picture {absent[0]!r}")
    sizes = [(name, there[name]) for name in names if name is not None]
    return ImageStore(raw.images_root.absolute(), names), sizes


def _fingerprint(
    log: Log,
    sizes: Sequence[tuple[str, int]],
    steps: Sequence[Mapping[str, Any]],
    recipe: Recipe,
) -> str:
    """16 hex digits over everything that a model or a metric can depend on."""
    digest = hashlib.sha256()
    for array in (log.user, log.item, log.time):
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{little.dtype.str}{little.shape}".encode())
        digest.update(np.ascontiguousarray(little).tobytes())
    fields = [[name, list(texts)] for name, texts in log.items.fields.items()]
    images = None if log.items.images is None else log.items.images.names
    rest = [fields, images, sizes, list(steps), asdict(recipe), NUMBERING_SEED]
    digest.update(json.dumps(rest, sort_keys=True, allow_nan=False).encode())
    return digest.hexdigest()[:16]
