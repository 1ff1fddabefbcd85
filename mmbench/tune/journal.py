"""The file in which Optuna keeps a search: one JSON object a line, only ever appended to."""

from __future__ import annotations

import json
import os
from pathlib import Path

from mmbench.grid.registry import UsageError


def mend(journal: Path) -> None:
    """Cut a last line that was not written to its end, as a full disk or a power cut leaves it.

    Optuna would write on in that line, and never read the file again. Nobody else may write
    meanwhile. Raises UsageError, with the line, where the file holds anything but entries; OSError.
    """
    if not journal.exists():
        return
    lines = journal.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        os.truncate(journal, sum(map(len, lines[:-1])))
        del lines[-1]
    for number, line in enumerate(lines, 1):
        if not _is_entry(line):
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
