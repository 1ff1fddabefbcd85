"""``mmbench ls models NAME``: what a model tells about itself, and what its stored rows took."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mmbench.problems import UserError

if TYPE_CHECKING:
    from mmbench.cli.listing import Say

STORED = (Path("results"), Path("leaderboards/results"))  # looked at where no folder is named


def model_card(name: str, results: Path | None, say: Say) -> dict[str, Any]:
    """A model's card as JSON-able data. Raises UserError: no such model, or it cannot be asked."""
    from mmbench.data.places import cache_home
    from mmbench.grid.acquaint import acquaint
    from mmbench.grid.config import choose_preset
    from mmbench.grid.environment import cuda_gpus
    from mmbench.grid.fetch import models_folder
    from mmbench.grid.readiness import lacking, readiness
    from mmbench.grid.unpackaged import find_model, locate

    ref = locate(name)
    plugin = find_model(ref)
    about = acquaint([plugin], say)[plugin]
    if isinstance(about, str):
        raise UserError(f"{plugin.name} of {plugin.distribution} {plugin.version}: {about}")
    choose_preset({preset.name: None for preset in about.presets}, ref, "paper")  # or say so
    gpu, models = bool(cuda_gpus()), models_folder(plugin, cache_home())
    ready = readiness(about, plugin.name, models, gpu)
    told = asdict(about)
    return {
        "model": ref.name,  # of a file, module:Class, which rows and --set take
        "package": plugin.distribution,
        "version": plugin.version,
        "from": plugin.value,
        **{key: told[key] for key in told if key != "presets"},
        "presets": [
            {**asdict(preset), "lacks": lacking(preset, about, models, gpu)}
            for preset in about.presets
        ],
        "runs_here": ready.preset,
        "why": ready.why,
        "spaces": _spaces(plugin.name),
        "costs": _costs(results, ref.name),
    }


def _spaces(model: str) -> list[dict[str, Any]]:
    """The search spaces that come with mmbench for a model."""
    from mmbench.tune.space import shipped

    return [
        {"name": space.name, "points": space.size(), "source": space.source}
        for space in shipped()
        if model in space.models
    ]


def _costs(results: Path | None, model: str) -> list[dict[str, Any]]:
    from mmbench.results.costs import read_costs

    if results is not None and not results.is_dir():
        raise UserError(f"{results} is not a folder of results")
    folders = [results] if results else [folder for folder in STORED if folder.is_dir()]
    return [
        {**asdict(row), "results": str(folder)}
        for folder in folders
        for row in read_costs(folder, model)
    ]


def card_lines(card: dict[str, Any]) -> Group:
    """The card for people."""
    hooks = ", ".join(card["hooks"])
    facts = [f"{card['package']} {card['version']}, {card['from']}", f"hooks: {hooks}"]
    if card["family"]:
        facts.append(f"a family: {card['model']}:Name sets {card['family']}")
    if card["upstream"]:
        facts.append(f"may start from another model: {card['model']}[{card['upstream']}=MODEL]")
    if card["loss"]:
        facts.append(f"loss: {card['loss']}")
    for space in card["spaces"]:
        points = f"{space['points']} points" if space["points"] else "ranges"
        facts.append(f"mmbench tune --space {space['name']}: {points}; {space['source']}")
    why = f" ({card['why']})" if card["why"] else ""
    facts.append(f"runs here with --preset auto: {card['runs_here']}{why}")
    parts: list[Text | Table] = [
        Text(card["model"], style="bold"),
        Text(card["text"]),
        Text(""),
        *map(Text, facts),
    ]
    parts += [Text(""), _settings(card), Text(""), _presets(card)]
    if card["papers"]:
        parts += [Text(""), _papers(card)]
    if card["costs"]:
        parts += [Text(""), _cost_table(card)]
    return Group(*parts)


def _grid(title: str, columns: Iterable[str]) -> Table:
    grid = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in columns:
        grid.add_column(name, overflow="fold")
    return grid


def _settings(card: dict[str, Any]) -> Table:
    model = card["model"]
    grid = _grid(
        f"settings: {model}[name=value], or --set {model}.name=value".replace("[", r"\["),
        ("name", "type", "default", "meaning"),
    )
    for one in card["settings"]:
        default = json.dumps(one["default"], ensure_ascii=False)
        grid.add_row(one["name"], escape(one["type"]), escape(default), escape(one["meaning"]))
    return grid


def _presets(card: dict[str, Any]) -> Table:
    grid = _grid("presets and variants", ("name", "needs", "lacks here", "differs in"))
    for one in card["presets"]:
        differs = ", ".join(f"{key}={_short(value)}" for key, value in one["changes"].items())
        needs = ", ".join(one["needs"]) or "nothing"
        grid.add_row(one["name"], needs, escape(one["lacks"]), escape(differs))
    return grid


def _papers(card: dict[str, Any]) -> Table:
    grid = _grid("published", ("variant", "dataset", "set", "metric", "value", "source"))
    for variant, figures in card["papers"].items():
        for one in figures:
            cells = (variant, one["dataset"], one["candidates"], one["metric"], f"{one['value']:g}")
            grid.add_row(*cells, escape(one["source"]))
    return grid


def _cost_table(card: dict[str, Any]) -> Table:
    from mmbench.report.words import duration

    columns = ("row", "dataset", "protocol", "seeds", "to fit", "MB", "parameters", "where")
    grid = _grid("cost of stored rows", columns)
    for one in card["costs"]:
        fit, memory, count = one["fit_seconds"], one["peak_memory_mb"], one["parameters"]
        grid.add_row(
            *(escape(one["row"]), one["dataset"], one["protocol"], str(one["seeds"])),
            "" if fit is None else duration(fit),
            "" if memory is None else f"{memory:,.0f}",
            "" if count is None else f"{count:,}",
            escape(one["where"]),
        )
    return grid


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return text if len(text) <= 60 else f"{text[:57]}..."
