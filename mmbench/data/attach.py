"""Pictures for a dataset that has none: drawn cards, or photographs fetched by address.

The events stay what they are, so rows of models that see no pictures are the same rows. The
pictures have a fingerprint of their own, and a remark that says what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmbench.data.find import Source
from mmbench.data.log import DataError
from mmbench.hookspecs import DatasetInfo, RawDataset

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
    add = {DRAWN: _draw, PHOTOGRAPHS: _take}[kind]

    def read(cache: Path, progress: Progress) -> RawDataset:
        return add(source.read(cache, progress), source.info, cache, progress)

    def stamp(memory: Path) -> Mapping[str, Any]:
        return {**source.stamp(memory), "pictures": _identity(source.info, kind)}

    info = replace(source.info, remarks=(_remark(source.info, kind), *source.info.remarks))
    facts = {**source.facts, **_facts(source.info, kind)}
    return replace(source, info=info, read=read, stamp=stamp, pictured=True, facts=facts)


def _facts(info: DatasetInfo, kind: str) -> dict[str, Any]:
    """What the card tells of addresses."""
    if kind == DRAWN:
        return {}
    from mmbench.data.fetch.photographs import Shelf

    return {"addresses": Shelf.of(info.id).told()}


def _identity(info: DatasetInfo, kind: str) -> str:
    """What tells the added pictures from others: the drawing's version, or the journal's digest."""
    if kind == DRAWN:
        from mmbench.data.fetch.cards import VERSION

        return f"cards {VERSION}"
    from mmbench.data.fetch.photographs import Shelf

    return f"photographs {Shelf.of(info.id).identity()}"


def _remark(info: DatasetInfo, kind: str) -> str:
    if kind == DRAWN:
        from mmbench.data.fetch.cards import REMARK

        return REMARK
    from mmbench.data.fetch.photographs import Shelf

    return Shelf.of(info.id).remark()


def _draw(raw: RawDataset, info: DatasetInfo, cache: Path, progress: Progress) -> RawDataset:
    from mmbench.data.fetch.cards import draw_cards

    path, names = draw_cards(raw, info, cache.parent / "drawn", progress)
    return replace(raw, images_root=path, images=names)


def _take(raw: RawDataset, info: DatasetInfo, cache: Path, progress: Progress) -> RawDataset:
    from mmbench.data.fetch.photographs import Shelf

    shelf = Shelf.of(info.id)
    names = shelf.files()
    if not names:
        raise DataError(
            f"{info.id}: no photograph is here; `mmbench data fetch {info.id} --images` brings them"
        )
    return replace(raw, images_root=shelf.folder, images=names)
