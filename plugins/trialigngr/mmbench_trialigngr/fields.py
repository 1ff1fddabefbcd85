"""What a catalogue says of an item: title, description, categories; cut to what is read."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mmbench import Items

DESCRIPTIONS = ("description", "overview", "plot")  # where datasets keep one
CATEGORIES = ("categories", "category", "genres")


def first_words(text: str, count: int) -> str:
    """The first so many words."""
    return " ".join(text.split()[:count])


def titles_of(items: Items, words: int) -> list[str]:
    """The titles, cut; index 0 is padding."""
    return [first_words(title, words) for title in next(iter(items.fields.values()))]


def descriptions_of(items: Items, words: int) -> list[str]:
    """The first paragraph of each description, cut; empty where there is none."""
    column = _column(items, DESCRIPTIONS)
    return [first_words(text.strip().split("\n\n")[0], words) for text in column]


def categories_of(items: Items) -> list[tuple[str, ...]]:
    """The names of each item's categories, from the last, which is the narrowest."""
    column = _column(items, CATEGORIES)
    named = [[part.strip() for part in re.split(r"[,;|>]", text)] for text in column]
    return [tuple(dict.fromkeys(part for part in reversed(parts) if part)) for parts in named]


def _column(items: Items, names: Sequence[str]) -> Sequence[str]:
    found = [items.fields[name] for name in names if name in items.fields]
    return found[0] if found else [""] * (items.n_items + 1)
