"""What a cell leaves in ``/dev/shm`` would outlive its processes: it is removed after them."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path

FOLDER = Path("/dev/shm")


def list_files() -> frozenset[tuple[str, int]]:
    """Name and inode of this user's files there."""
    if sys.platform != "linux":
        return frozenset()
    found = set()
    with contextlib.suppress(OSError), os.scandir(FOLDER) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            if status.st_uid == os.geteuid() and stat.S_ISREG(status.st_mode):
                found.add((entry.name, status.st_ino))
    return frozenset(found)


def remove_new(before: frozenset[tuple[str, int]]) -> None:
    """Remove the files that came since ``before`` and that no living process of this user has open.

    A file of somebody else's program, or of another cell that still runs, is open there.
    """
    new = {name for name, _ in list_files() - before}
    if not new:
        return
    for name in new - _in_use(new):
        with contextlib.suppress(OSError):
            (FOLDER / name).unlink()


def _in_use(names: set[str]) -> set[str]:
    """Which of these files a living process has open or mapped."""
    used: set[str] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            maps = (folder / "maps").read_text(errors="replace")
            used |= {name for name in names if f"{FOLDER}/{name}" in maps}
            opened = {os.readlink(link) for link in (folder / "fd").iterdir()}
            used |= {name for name in names if f"{FOLDER}/{name}" in opened}
    return used
