"""Small made-up logs with known answers, for the checks to run models on.

In each but the random one, every item has its usual successor: items stand in a ring and users walk
along it. Titles and pictures tell it too: an item shares a word, and a colour, with the one before
and the one after. The last item is cold: nobody ever had it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmbench.data.fingerprint import Fingerprints
from mmbench.data.log import Log
from mmbench.data.picture_file import write_pictures
from mmbench.data.pixels import encode
from mmbench.hookspecs import DatasetInfo, RawDataset
from mmbench.views import ImageStore, Int32, Items

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

USERS = 100
ITEMS = 30
SHORTEST, LONGEST = 5, 12  # events of a user
DAY = 86_400
# fmt: off
WORDS = (
    "amber", "birch", "cedar", "denim", "ebony", "fern",
    "ginger", "hazel", "indigo", "jade", "khaki", "linen",
    "maple", "navy", "olive", "pearl", "quartz", "rose",
    "sage", "teal", "umber", "velvet", "walnut", "yarrow",
    "zinc", "apricot", "bronze", "coral", "dune", "elm",
)
# fmt: on


def make_world(folder: Path, seed: int = 0) -> Log:
    """A log of ``USERS`` walks along a ring of all items but the cold one.

    Args:
        folder: where the file of pictures goes, of 16 x 16 pixels each.
        seed: draws the ring, the walks, and which item is which.
    """
    rng = np.random.default_rng(seed)
    ring = rng.permutation(ITEMS - 1) + 1
    lengths = rng.integers(SHORTEST, LONGEST + 1, USERS)
    popular = 1 / np.arange(1, ITEMS)  # some places are usual starts, so that popularity differs
    starts = rng.choice(ITEMS - 1, size=USERS, p=popular / popular.sum())
    walks = [
        ring[(start + np.arange(length)) % len(ring)]
        for start, length in zip(starts, lengths, strict=True)
    ]
    place = np.empty(ITEMS + 1, dtype=int)  # of the cold item: after the ring's last
    place[[0, *ring, ITEMS]] = [0, *range(ITEMS - 1), ITEMS - 1]
    titles = ("", *(f"{WORDS[p]} {WORDS[(p + 1) % ITEMS]}" for p in place[1:]))
    return Log(
        id="ring",
        fingerprints=Fingerprints(f"{seed:016x}", text=f"{seed:016x}", pictures=f"{seed:016x}"),
        secret=bytes([seed]) * 32,  # the same for worlds that differ in their targets alone
        user=np.repeat(np.arange(USERS, dtype=np.int32), lengths),
        item=np.concatenate(walks).astype(np.int32),
        time=np.concatenate([DAY * (1 + np.arange(n, dtype=np.int64)) for n in lengths]),
        n_users=USERS,
        n_items=ITEMS,
        items=Items(ITEMS, {"title": titles}, _paint(folder, place)),
        user_ids=tuple(f"u{user}" for user in range(USERS)),
        item_ids=("", *(f"i{item}" for item in range(1, ITEMS + 1))),
        card={"name": "ring", "remarks": [], "licence": "", "ceilings": {}},
    )


def make_random_world(folder: Path, seed: int = 0, users: int = USERS) -> Log:
    """A log in which nothing tells what comes next, prepared from a source that tells it all.

    As in many published files, the source's ids count items in the order of their first appearance,
    user after user; users are counted too, and pictures are named after items. A user begins with a
    new item, has some that were there before, drawn at random, and ends with a new one again: in
    the source's ids, the target is mostly the highest so far plus one. Texts and pictures are drawn
    at random. Who does better than chance has seen through the harness's numbers, negatives or
    names.

    Args:
        folder: where the pictures go, 16 x 16 PNG files.
        seed: draws the events, the texts and the pictures.
        users: how many; each brings about two items.
    """
    import pandas as pd

    from mmbench.data.prepare import prepare

    rng = np.random.default_rng(seed)
    sequences: list[list[int]] = []
    known = 0
    for _ in range(users):
        known += 1
        items = [known, *rng.integers(1, known + 1, 3).tolist()]
        if rng.random() < 0.9:
            known += 1
            items.append(known)
        else:
            items.append(int(rng.integers(1, known + 1)))
        sequences.append(items)
    numbers = range(1, known + 1)
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        drawn = _draw(rng.integers(0, 256, (2, 3), dtype=np.uint8))
        drawn.save(folder / f"{number}.png")
    events = [
        (str(user), str(item), place)
        for user, items in enumerate(sequences, start=1)
        for place, item in enumerate(items)
    ]
    described = [(str(number), " ".join(rng.choice(WORDS, 2))) for number in numbers]
    raw = RawDataset(
        events=pd.DataFrame(events, columns=["user", "item", "time"]),
        items=pd.DataFrame(described, columns=["item", "title"]),
        images_root=folder,
        images={str(number): f"{number}.png" for number in numbers},
    )
    return prepare(raw, DatasetInfo(id="random", name="random"), folder / "handed-over")


def with_other_targets(log: Log) -> Log:
    """The same log but for the last event of each user: all differ, and nothing else does."""
    last = np.flatnonzero(np.diff(log.user, append=-1))
    item = log.item.copy()
    item[last] = (item[last] + log.n_items // 2 - 1) % log.n_items + 1
    return replace(log, item=item)


def without(log: Log, modalities: Collection[str]) -> Log:
    """The same log without ``text``, ``image``, or both."""
    items = log.items
    if "text" in modalities:
        items = replace(items, fields={name: ("",) * len(v) for name, v in items.fields.items()})
    if "image" in modalities:
        items = replace(items, images=None)
    return replace(log, items=items)


def permuted(log: Log, modality: str, seed: int = 0) -> Log:
    """The same log, with the ``text`` or the ``image`` of each item given to another."""
    items = log.items
    order = [0, *(1 + np.random.default_rng(seed).permutation(log.n_items))]
    if modality == "text":
        fields = {name: tuple(v[i] for i in order) for name, v in items.fields.items()}
        return replace(log, items=replace(items, fields=fields))
    assert items.images is not None
    pictures = [items.images.read(i) if i in items.images else b"" for i in order[1:]]
    path = items.images.path.with_name(f"permuted-{seed}")
    images = write_pictures(path, log.n_items, pictures)
    return replace(log, items=replace(items, images=images))


def choose_candidates(queries: int, width: int) -> Int32:
    """int32[queries, width]: items drawn without replacement, ascending in each row."""
    rng = np.random.default_rng(0)
    drawn = [rng.choice(ITEMS, size=width, replace=False) + 1 for _ in range(queries)]
    return np.sort(np.array(drawn), axis=1).astype(np.int32)


def _paint(folder: Path, place: np.ndarray) -> ImageStore:
    """One picture an item: its left half in its own colour, its right half in the next one's."""
    colours = np.random.default_rng(7).integers(0, 256, (ITEMS, 3), dtype=np.uint8)
    pictures = (
        encode(_draw(colours[[place[item], (place[item] + 1) % ITEMS]]))
        for item in range(1, ITEMS + 1)
    )
    return write_pictures(folder / "pictures", ITEMS, pictures)


def _draw(halves: np.ndarray) -> Picture:
    """A picture of two colours, uint8[2, 3], the first on its left."""
    from PIL import Image

    picture = np.broadcast_to(np.repeat(halves, 8, axis=0), (16, 16, 3))
    return Image.fromarray(np.ascontiguousarray(picture))
