"""What a user asks for, on the command line or in Python, as one grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmbench.grid.plan import Grid, parse_seeds, read_grid
from mmbench.grid.registry import UsageError, split_list

SIZES = ("auto", "paper", "small", "tiny")


def make_grid(
    file: Path | None = None,
    *,
    settings: Sequence[str] = (),
    tuned: Sequence[Path] = (),
    **given: Any,
) -> Grid:
    """One grid of a file and of fields of ``Grid``; a field that is given wins.

    ``models`` and ``data`` may be texts, comma-separated; what is None or empty is not given.
    ``settings`` come after those of the file. ``tuned`` are files that ``mmbench tune`` wrote, of
    which the settings are taken, not the models nor the data. Raises UsageError.
    """
    found = read_grid(file) if file else {}
    chosen = [*found.pop("settings", []), *settings]
    for path in tuned:
        best = read_grid(path)
        if "tuned" not in best:
            raise UsageError(f"{path} is not a file of mmbench tune: it has no table [tuned]")
        chosen = [*best["settings"], *chosen]
        found["tuned"] = {**found.get("tuned", {}), **best["tuned"]}
    found |= {name: value for name, value in given.items() if value not in (None, "", [], ())}
    for name in ("models", "data"):
        asked = found.get(name) or ()
        found[name] = tuple(split_list(asked) if isinstance(asked, str) else map(str, asked))
        if not found[name]:
            raise UsageError(f"say which {name}: --{name} a,b or a grid file with {name}")
    found["seeds"] = parse_seeds(found.get("seeds", 1))
    grid = Grid(**found, settings=tuple(chosen))
    if grid.preset not in SIZES:
        raise UsageError(f"--preset is auto, paper, small or tiny, not {grid.preset}")
    return grid
