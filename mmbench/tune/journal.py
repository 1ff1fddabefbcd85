"""The file in which Optuna keeps a search: one JSON object a line, only ever appended to."""

from __future__ import annotations

import json
from pathlib import Path

from mmbench.grid.registry import UsageError


def demand_whole(journal: Path) -> None:
    """Raise UsageError, with the line, where a journal holds something else than Optuna's lines.

    A full disk cuts the last line. Optuna would go on behind it, and fail at the line thus made.
    """
    if not journal.exists():
        return
    for number, line in enumerate(journal.read_bytes().splitlines(keepends=True), 1):
        if not (line.endswith(b"\n") and _is_entry(line)):
            raise UsageError(
                f"{journal}: line {number} is damaged; cut the file before it, to go on with the "
                "trials that stand above, or move the folder away, to search anew"
            )


def _is_entry(line: bytes) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:  # of JSON, and of UTF-8
        return False
    return isinstance(entry, dict) and "op_code" in entry
