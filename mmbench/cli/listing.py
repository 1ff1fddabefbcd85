"""What ``mmbench ls`` shows: plain rows, read without importing a plugin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.table import Table

from mmbench.grid.registry import list_plugins

Rows = list[dict[str, Any]]


def models() -> Rows:
    """Installed models; a name that two packages declare is shown twice and marked."""
    plugins = list_plugins()
    names = [plugin.name for plugin in plugins]
    return [
        {
            "model": plugin.name,
            "package": plugin.distribution,
            "version": plugin.version,
            "from": plugin.value,
            "problem": "name declared twice" if names.count(plugin.name) > 1 else "",
        }
        for plugin in plugins
    ]


def datasets() -> Rows:
    """Datasets that are here, and known ones that are not."""
    from mmbench.data.find import list_datasets

    return [row._asdict() for row in list_datasets()]


def protocols() -> Rows:
    """The named protocols."""
    from mmbench.protocol import PROTOCOLS

    return [
        {
            "protocol": protocol.name,
            "split": protocol.splitter,
            "candidate sets": ", ".join(one.name for one in protocol.candidate_sets),
            "history": protocol.max_history,
        }
        for protocol in PROTOCOLS.values()
    ]


LISTS: dict[str, Callable[[], Rows]] = {
    "models": models,
    "data": datasets,
    "protocols": protocols,
}


def table(rows: Rows) -> Table:
    """Rows as a table; columns that are empty throughout are left out."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    columns = [name for name in (rows[0] if rows else {}) if any(row[name] for row in rows)]
    for name in columns:
        grid.add_column(name, overflow="fold")
    for row in rows:
        grid.add_row(*(_text(row[name]) for name in columns))
    return grid


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
