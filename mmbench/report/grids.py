"""The grid files beside boards that a board was run from."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mmbench.data.published import published
from mmbench.protocol.protocols import DEFAULT
from mmbench.report.aggregate import Board

FOLDER = "grids"


def grid_links(board: Board, folder: Path) -> tuple[tuple[str, str], ...]:
    """Name and path, from the board's own folder, of each grid in ``folder/grids`` that asks for
    the board's data under its protocol, in order of name.

    What is no grid is passed over.
    """
    found = sorted((folder / FOLDER).glob("*.toml"))
    return tuple(
        (path.name, f"../{FOLDER}/{quote(path.name)}") for path in found if _asks(path, board)
    )


def _asks(path: Path, board: Board) -> bool:
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    protocol = told.get("protocol") or DEFAULT
    named = set(_words(told.get("data")))
    return protocol == board.protocol and bool(named & _names(board.dataset))


def _words(told: Any) -> Iterator[str]:
    yield from (told.split(",") if isinstance(told, str) else map(str, told or ()))


def _names(dataset: str) -> set[str]:
    spec = published().get(dataset)
    return {dataset, *(spec.info.aliases if spec else ())}
