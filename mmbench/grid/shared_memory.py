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
    new = list_files() - before
    if not new:
        return
    used = _in_use()
    for name, inode in new:
        if inode not in used:
            with contextlib.suppress(OSError):
                (FOLDER / name).unlink()


def _in_use() -> set[int]:
    """The inodes of the files there that a living process has open or mapped.

    Not the names: a named semaphore is mapped under the one that it had while it was made.
    """
    used: set[int] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            for line in (folder / "maps").read_text(errors="replace").splitlines():
                if f"{FOLDER}/" in line:
                    used.add(int(line.split(maxsplit=5)[4]))
            for link in (folder / "fd").iterdir():
                with contextlib.suppress(OSError):  # closed meanwhile
                    if os.readlink(link).startswith(f"{FOLDER}/"):
                        used.add(link.stat().st_ino)
    return used
