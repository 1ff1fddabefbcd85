"""What ``mmbench ls`` shows: plain rows. Models are asked in processes of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.table import Table

from mmbench.grid.registry import (
    Plugin,
    list_observers,
    list_plugins,
    misdeclared,
    outdated,
    summary_of,
)

__all__ = ["EMPTY", "LISTS", "misdeclared", "model_table", "names", "table"]

Rows = list[dict[str, Any]]
Say = Callable[[str], None]


def models(say: Say, plugins: Sequence[Plugin] | None = None) -> Rows:
    """Installed models, and what each tells about itself; see ``mmbench.grid.acquaint``.

    A name that two packages declare is shown twice and marked.
    """
    from mmbench.data.places import cache_home
    from mmbench.grid.acquaint import acquaint
    from mmbench.grid.environment import cuda_gpus
    from mmbench.grid.fetch import models_folder
    from mmbench.grid.readiness import readiness, sizes_of, variants

    chosen = list_plugins() if plugins is None else plugins
    told, gpu, rows = acquaint(chosen, say), bool(cuda_gpus()), names(say, chosen)
    for plugin, row in zip(chosen, rows, strict=True):
        about = told[plugin]
        if isinstance(about, str):
            row |= {"needs": (), "presets": (), "variants": (), "runs here": "", "lacks": ""}
            row["problem"] = "; ".join(filter(None, [row["problem"], about]))
            continue
        ready = readiness(about, plugin.name, models_folder(plugin, cache_home()), gpu)
        row |= {
            "what it is": about.summary,
            "needs": sorted({need for preset in about.presets for need in preset.needs}),
            "presets": sizes_of(about),
            "variants": list(variants(about)),
            "runs here": ready.preset,
            "lacks": ready.why,
        }
    return rows


def names(say: Say, plugins: Sequence[Plugin] | None = None) -> Rows:
    """Installed models as package metadata and source files tell: no plugin is imported."""
    chosen = list_plugins() if plugins is None else plugins
    known = [plugin.name for plugin in chosen]
    return [
        {
            "model": plugin.name,
            "what it is": summary_of(plugin),
            "package": plugin.distribution,
            "version": plugin.version,
            "from": plugin.value,
            "problem": _clash(plugin) if known.count(plugin.name) > 1 else outdated(plugin),
        }
        for plugin in chosen
    ]


def _clash(plugin: Plugin) -> str:
    return f"name declared twice: ask for {plugin.distribution}/{plugin.name}"


def datasets(say: Say) -> Rows:
    """Datasets that are here, and how to get known ones that are not."""
    from mmbench.data.fetch.recipe import recipes
    from mmbench.data.find import list_datasets

    known = recipes()
    rows = []
    for row in list_datasets():
        absent = row.status.startswith(("not here", "lacks"))
        how = f"mmbench data fetch {row.id}" if row.id in known else "see: mmbench data describe"
        rows.append({**row._asdict(), "how to get it": how if absent else ""})
    return rows


def protocols(say: Say) -> Rows:
    """The named protocols."""
    from mmbench.protocol import PROTOCOLS

    return [
        {
            "protocol": protocol.name,
            "split": protocol.splitter,
            "candidate sets": ", ".join(one.name for one in protocol.candidate_sets),
            "history": protocol.max_history,
            "what it asks": protocol.explanation,
        }
        for protocol in PROTOCOLS.values()
    ]


def observers(say: Say) -> Rows:
    """Installed observers, for ``mmbench run --observer NAME``; none is imported."""
    return [
        {
            "observer": plugin.name,
            "what it is": summary_of(plugin),
            "package": plugin.distribution,
            "version": plugin.version,
            "from": plugin.value,
        }
        for plugin in list_observers()
    ]


LISTS: dict[str, Callable[[Say], Rows]] = {
    "models": models,
    "data": datasets,
    "protocols": protocols,
    "observers": observers,
}
EMPTY = {"observers": "no observer is installed; mmbench new observer NAME starts one"}
SHOWN = {  # columns of the table where it has fewer than the rows
    "models": ("model", "what it is", "needs", "presets", "variants", "runs here", "problem")
}


def table(rows: Rows, columns: Sequence[str] | None = None) -> Table:
    """Rows as a table; columns that are empty throughout are left out."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    asked = columns or list(rows[0] if rows else {})
    shown = [name for name in asked if any(row.get(name) for row in rows)]
    for name in shown:
        grid.add_column(name, overflow="fold")
    for row in rows:
        grid.add_row(*(_text(row.get(name, "")) for name in shown))
    return grid


def model_table(rows: Rows) -> Table:
    """A line a model: variants are counted, and what a preset lacks stands beside it."""
    short = [
        {
            **row,
            "variants": len(row["variants"]) or "",
            "runs here": f"{row['runs here']} ({row['lacks']})"
            if row["lacks"]
            else row["runs here"],
        }
        for row in rows
    ]
    return table(short, SHOWN["models"])


def _text(value: Any) -> str:
    from rich.markup import escape

    return escape(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
