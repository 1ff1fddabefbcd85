"""Drawn cards: pictures made from an item's title and category, for data that has none.

They tell nothing that the texts do not, and stand where code for pictures is to be run on real
sequences; they are never photographs, and every result says so. A card is the same to the last byte
on every machine: shapes are inequalities of integers, letters are dots, the file is a plain bitmap.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmbench.data.fetch.glyphs import word
from mmbench.data.log import DataError
from mmbench.data.scratch import make_scratch
from mmbench.files import put_in_place, remove_tree, slug
from mmbench.hookspecs import DatasetInfo, RawDataset

VERSION = 1  # more, when the same item shall have another card
SIDE = 96  # pixels
REMARK = (
    "pictures are cards drawn by mmbench from title and category (colours: category, shape: leaf "
    "category, words: the title's first two); they are no photographs"
)
CATEGORY = re.compile(r"categor|genre|tag|department|type", re.IGNORECASE)
SEPARATORS = re.compile(r"\s*(?:>|\||;|,)\s*")
LETTERS = 15  # of a word
SHAPES = 8
EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip's files have a time
Pixels = NDArray[np.uint8]


def draw_cards(
    raw: RawDataset,
    info: DatasetInfo,
    folder: Path,
    progress: Callable[[int, int, str], None] = lambda done, total, unit: None,
) -> tuple[Path, Mapping[str, str]]:
    """Draw a card for each item that has events and a title; what was drawn before is there.

    Returns the zip, whose name tells its contents, and ``{item id: name in it}``. Raises DataError
    where no item has a title, and OSError.
    """
    used = set(raw.events["item"])
    texts = [text for text in told(raw, info) if text[0] in used and text[1]]
    if not texts:
        raise DataError(
            f"{info.id}: cards are drawn from titles, and there are none; fetch or name the items' "
            "texts first"
        )
    digest = hashlib.sha256(f"cards {VERSION} {SIDE}\n{texts!r}".encode()).hexdigest()[:16]
    path = folder / f"{slug(info.id)}-{digest}.zip"
    names = {item: f"{place}.bmp" for place, (item, _, _) in enumerate(texts)}
    if not path.is_file():
        _write(path, texts, names, progress)
    return path, names


def told(raw: RawDataset, info: DatasetInfo) -> list[tuple[str, str, str]]:
    """``(item id, title, category)`` of each item, by id."""
    columns = [str(name) for name in raw.items.columns if name != "item"]
    chosen = [name for name in info.text if name in columns] or columns
    if not chosen:
        return []
    categories = next((name for name in chosen[1:] if CATEGORY.search(name)), None)
    titles = raw.items[chosen[0]].tolist()
    kinds = raw.items[categories].tolist() if categories else [""] * len(titles)
    rows = zip(raw.items["item"].tolist(), titles, kinds, strict=True)
    return sorted((item, title.strip(), kind.strip()) for item, title, kind in rows)


def card(title: str, category: str) -> Pixels:
    """uint8[96, 96, 3]: the card of a title and a category, which may be a path."""
    steps = [step for step in SEPARATORS.split(category) if step] or ["none"]
    top = steps[1] if len(steps) > 2 else steps[0]  # the first step of a shop is the shop
    ground, ink = _colours(top)
    pixels = np.full((SIDE, SIDE, 3), ground, dtype=np.uint8)
    leaf = _hash("leaf", steps[-1])
    pixels[_shape(leaf[0] % SHAPES, 18 + leaf[1] % 12)] = ink
    words = [w for w in re.split(r"\s+", title) if any(c.isalnum() for c in w)][:2]
    for line, text in enumerate(words):
        _stamp(pixels, word(text, LETTERS), 70 + 12 * line)
    return pixels


def _hash(what: str, text: str) -> bytes:
    return hashlib.sha256(f"mmbench: {what} {text}".encode()).digest()


def _colours(category: str) -> tuple[Sequence[int], Sequence[int]]:
    """A light ground and a strong ink."""
    told = _hash("colour", category)
    return [176 + told[k] % 72 for k in range(3)], [24 + told[3 + k] % 136 for k in range(3)]


def _shape(kind: int, size: int) -> NDArray[np.bool_]:
    """bool[96, 96]: one of the shapes around the middle of the card's upper part."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] - np.array([36, SIDE // 2])[:, None, None]
    far_x, far_y, round_ = np.abs(x), np.abs(y), x * x + y * y
    shapes = (
        round_ <= size * size,
        np.maximum(far_x, far_y) <= size,
        far_x + far_y <= size,
        (y <= size) & (y >= 2 * far_x - size),
        (round_ <= size * size) & (4 * round_ >= size * size),
        (np.minimum(far_x, far_y) * 3 <= size) & (np.maximum(far_x, far_y) <= size),
        (far_y * 2 <= size) & (far_x <= size),
        (np.maximum(far_x, far_y) <= size) & ((x + y) % 12 < 6),
    )
    found: NDArray[np.bool_] = shapes[kind]
    return found


def _stamp(pixels: Pixels, bits: NDArray[np.bool_], top: int) -> None:
    """Write letters in black, in the middle of a line."""
    height, width = bits.shape
    left = (SIDE - width) // 2
    pixels[top : top + height, left : left + width][bits] = 0


def bitmap(pixels: Pixels) -> bytes:
    """A picture as a file: BMP, 24 bits a pixel, rows from below."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, (3 * width + 3) // 4 * 4), dtype=np.uint8)
    rows[:, : 3 * width] = pixels[::-1, :, ::-1].reshape(height, 3 * width)
    numbers = ((54 + rows.size, 4), (0, 4), (54, 4), (40, 4), (width, 4), (height, 4), (1, 2))
    rest = ((24, 2), (0, 4), (rows.size, 4), (2835, 4), (2835, 4), (0, 4), (0, 4))
    head = b"".join(number.to_bytes(size, "little") for number, size in numbers + rest)
    return b"BM" + head + rows.tobytes()


def _write(
    path: Path,
    texts: Sequence[tuple[str, str, str]],
    names: Mapping[str, str],
    progress: Callable[[int, int, str], None],
) -> None:
    scratch = make_scratch(path.parent)
    try:
        beside = scratch / path.name
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for done, (item, title, category) in enumerate(texts, 1):
                entry = zipfile.ZipInfo(names[item], EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, bitmap(card(title, category)))
                if done % 500 == 0 or done == len(texts):
                    progress(done, len(texts), "cards")
        put_in_place(beside, path)
    finally:
        remove_tree(scratch)
