"""``tuned.toml``: the best settings of a search, as a grid file that ``mmbench run`` takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmbench.files import write_atomically
from mmbench.results.tuning import Tuning


def write_tuned(
    file: Path, model: str, name: str, tuning: Tuning, data: str, preset: str, protocol: str
) -> None:
    """Write a search's best, whole or not at all. Raises OSError.

    Args:
        file: where.
        model: what was tuned, as ``--models`` takes it.
        name: what ``--set`` calls it.
        tuning: the search.
        data: as ``--data`` takes it.
        preset: as ``--preset`` takes it.
        protocol: as ``--protocol`` takes it.
    """
    told = tuning.model_dump(mode="json", exclude={"settings", "held"})
    lines = [
        "# Written by mmbench tune. The settings were chosen on the validation fold alone.",
        f"# mmbench run {file.name} --seeds 3",
        f"models = [{_toml(model)}]",
        f"data = [{_toml(data)}]",
        f"preset = {_toml(preset)}",
        f"protocol = {_toml(protocol)}",
        "",
        f"[tuned.{_toml(name)}]",
        *(f"{key} = {_toml(value)}" for key, value in told.items()),
        "",
        f"[tuned.{_toml(name)}.settings]",
        *(f"{_toml(key)} = {_toml(value)}" for key, value in tuning.settings.items()),
    ]
    if tuning.held:
        lines += ["", f"[tuned.{_toml(name)}.held]"]
        lines += [f"{_toml(key)} = {_toml(value)}" for key, value in tuning.held.items()]
    write_atomically(file, ("\n".join(lines) + "\n").encode())


def _toml(value: Any) -> str:
    """A text, number, boolean or list of such as TOML, which reads them as JSON does."""
    return json.dumps(value, ensure_ascii=False)
