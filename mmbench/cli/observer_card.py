"""``mmbench ls observers NAME``: what an observer tells about itself, its options among it."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text


def observer_card(name: str) -> dict[str, Any]:
    """An observer's card as JSON-able data. Raises UserError: no such observer, or a broken one."""
    from mmbench.grid.observer_process import ask_about
    from mmbench.grid.registry import find_observer

    plugin = find_observer(name)
    return {
        "observer": plugin.name,
        "package": plugin.distribution,
        "version": plugin.version,
        "from": plugin.value,
        **ask_about(plugin),
    }


def card_lines(card: dict[str, Any]) -> Group:
    """The card for people."""
    parts: list[Text | Table] = [
        Text(card["observer"], style="bold"),
        Text(card["text"]),
        Text(""),
        Text(f"{card['package']} {card['version']}, {card['from']}"),
        Text(f"hooks: {', '.join(card['hooks'])}"),
        Text(""),
    ]
    if not card["options"]:
        return Group(*parts, Text("no options"))
    title = f"options: --observer {card['observer']}:name=value"
    grid = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in ("name", "type", "default", "meaning"):
        grid.add_column(column, overflow="fold")
    for one in card["options"]:
        default = json.dumps(one["default"], ensure_ascii=False)
        grid.add_row(*map(Text, (one["name"], one["type"], default, one["meaning"])))
    return Group(*parts, grid)
