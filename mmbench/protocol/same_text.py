"""Hits by text: where several items read the same, a model that writes texts cannot choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mmbench.views import Int32, Items

if TYPE_CHECKING:
    from mmbench.protocol.evaluate import Ranks
    from mmbench.protocol.split import Fold


def text_equal(
    ranks: Ranks, fold: Fold, items: Items, cutoffs: tuple[int, ...] = (1, 10)
) -> dict[str, dict[str, float]]:
    """``{candidate set: {"text-equal@k": share of queries}}`` for the sets with lists.

    A query counts where one of the first ``k`` listed items has the target's text in every column,
    be it the target or not: what PixRec's code calls a hit. Lists hold tied items in the order of
    their numbers, which are random. An item without any text has that of no other. Empty where no
    two items of the catalogue read the same.
    """
    text = _numbered(items)
    if len(np.unique(text)) == len(text):
        return {}
    return {
        name: {f"text-equal@{k}": _share(text, top[:, :k], fold.target) for k in cutoffs}
        for name, top in ranks.top.items()
    }


def _share(text: Int32, listed: Int32, target: Int32) -> float:
    same = (text[listed] == text[target][:, None]) & (listed > 0)
    return float(same.any(axis=1).mean())


def _numbered(items: Items) -> Int32:
    """int32[n_items + 1]: equal numbers where all texts are equal; padding has a number alone."""
    number: dict[tuple[str, ...], int] = {}
    columns = [tuple(column) for column in items.fields.values()]
    found = np.arange(items.n_items + 1, dtype=np.int32)
    for item, texts in enumerate(zip(*columns, strict=True)):
        if item and any(texts):
            found[item] = number.setdefault(texts, item)
    return found
