"""What files of weights hold, and whether there is room for more."""

from __future__ import annotations

import functools
import hashlib
import shutil
from pathlib import Path

MARGIN = 64 * 2**20  # bytes of disk that are left free


class WeightsError(RuntimeError):
    """Weights that are not here, or not what they should be; the message says what to do."""


def sha256(path: Path) -> str:
    """Of a file. What this process has read once it remembers while the file stays as it is."""
    state = path.stat()
    return _sha256(path, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@functools.cache
def _sha256(path: Path, *_: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def demand_room(folder: Path, size: int, what: str) -> None:
    """Raise WeightsError unless a folder's disk has room for so many bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < size + MARGIN:
        raise WeightsError(
            f"{what} takes {size / 1e6:,.0f} MB, and the disk of {folder} has {free / 1e6:,.0f} MB "
            "free: make room, or set MMBENCH_CACHE to a folder on another disk"
        )
