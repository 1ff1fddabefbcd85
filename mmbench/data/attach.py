"""Pictures for a dataset that has none: drawn cards, or photographs fetched by address.

The events stay what they are, so rows of models that see no pictures are the same rows. The
pictures have a fingerprint of their own, and a remark that says what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.data.find import Source
from mmbench.data.log import DataError
from mmbench.hookspecs import DatasetInfo, RawDataset

if TYPE_CHECKING:
    from mmbench.data.fetch.photographs import Shelf

DRAWN, PHOTOGRAPHS = "drawn", "photographs"
ADDED = ("pictures are cards drawn by mmbench", "photographs were fetched by address")
"""How remarks on such pictures begin; a row that reads them has a footnote with the rest."""
Progress = Callable[[int, int, str], None]


def with_pictures(source: Source, kind: str) -> Source:
    """A source that has no pictures, with those of a kind.

    A dataset whose recipe keeps only items with a picture stays as it is: with other pictures it
    would be other events under the same id.
    """
    if "image" in source.info.recipe.require:
        return source
    from mmbench.data.fetch import cards
    from mmbench.data.fetch.photographs import Shelf

    shelf = Shelf.of(source.info.id, Path(source.where)) if kind == PHOTOGRAPHS else None

    def read(cache: Path, progress: Progress) -> RawDataset:
        raw = source.read(cache, progress)
        if shelf is None:
            return _draw(raw, source.info, cache, progress)
        return _take(raw, source.info, shelf)

    def stamp(memory: Path) -> Mapping[str, Any]:
        told = f"cards {cards.VERSION}" if shelf is None else f"photographs {shelf.identity()}"
        return {**source.stamp(memory), "pictures": told}

    remark = cards.REMARK if shelf is None else shelf.remark()
    facts = {**source.facts} if shelf is None else {**source.facts, "addresses": shelf.told()}
    info = replace(source.info, remarks=(remark, *source.info.remarks))
    return replace(source, info=info, read=read, stamp=stamp, pictured=True, facts=facts)


def _draw(raw: RawDataset, info: DatasetInfo, cache: Path, progress: Progress) -> RawDataset:
    from mmbench.data.fetch.cards import draw_cards

    path, names = draw_cards(raw, info, cache.parent / "drawn", progress)
    return replace(raw, images_root=path, images=names)


def _take(raw: RawDataset, info: DatasetInfo, shelf: Shelf) -> RawDataset:
    names = shelf.files()
    if not names:
        raise DataError(
            f"{info.id}: no photograph is here; `mmbench run --images` and `mmbench data fetch "
            f"{info.id} --images` bring them"
        )
    return replace(raw, images_root=shelf.folder, images=names)
