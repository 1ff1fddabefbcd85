"""Markdown by hand: tables that read well in a terminal and on a page, and safe foreign text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.cells import cell_len

from mmbench.report.words import plain

T = TypeVar("T")

# An underscore inside a word is no emphasis on GitHub, and item_knn reads better unescaped.
_SPECIAL = re.compile(r"[\\`*\[<|~$&]|(?<![^\W_])_|_(?![^\W_])")


def escape(text: str) -> str:
    """Foreign text as one line of markdown that shows just that text, in tables too."""
    return _SPECIAL.sub(lambda match: "\\" + match[0], plain(text))


@dataclass(frozen=True)
class Column(Generic[T]):
    """A column of a table: its title and what it shows of a row (markdown, empty if nothing)."""

    title: str
    show: Callable[[T], str]
    left: bool = False


def table(columns: Sequence[Column[T]], rows: Sequence[T]) -> str:
    """A pipe table, columns padded to one width; a column that is empty in all rows is dropped."""
    shown = [(column, [column.show(row) for row in rows]) for column in columns]
    padded = [_padded(column, cells) for column, cells in shown if any(cells)]
    return "\n".join(f"| {' | '.join(line)} |" for line in zip(*padded, strict=True))


def _padded(column: Column[T], cells: Sequence[str]) -> list[str]:
    texts = [column.title, *(cell or "–" for cell in cells)]
    width = max(3, *map(cell_len, texts))
    rule = ":" + "-" * (width - 1) if column.left else "-" * (width - 1) + ":"
    gaps = [" " * (width - cell_len(text)) for text in texts]
    pairs = zip(texts, gaps, strict=True)
    head, *body = [text + gap if column.left else gap + text for text, gap in pairs]
    return [head, rule, *body]
