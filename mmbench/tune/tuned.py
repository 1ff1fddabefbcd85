"""``tuned.toml``: the best settings of a search, as a grid file that ``mmbench run`` takes."""

from __future__ import annotations

from pathlib import Path

import tomli_w

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
    told = tuning.model_dump(mode="json")
    if not tuning.held:
        del told["held"]
    grid = {
        "models": [model],
        "data": [data],
        "preset": preset,
        "protocol": protocol,
        "tuned": {name: told},
    }
    head = (
        "# Written by mmbench tune. The settings were chosen on the validation fold alone.\n"
        f"# mmbench run {file.name} --seeds 3\n"
    )
    write_atomically(file, (head + tomli_w.dumps(grid)).encode())
