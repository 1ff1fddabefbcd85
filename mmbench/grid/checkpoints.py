"""Checkpoints of a fit that was preempted go to the next attempt at its cell.

What lies in folders called ``training`` inside of ``run.scratch`` is handed over, wherever they
stand there; ``mmbench.vlm.training`` keeps its checkpoints so, and goes on from the last whole one.
All else in a scratch folder goes with the attempt, as it may be half written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mmbench.files import remove_tree
from mmbench.grid.wall import SCRATCH

FOLDER = "training"


def keep(scratch: Path) -> None:
    """Remove everything from a cell's scratch folder but the checkpoints of its fit."""
    kept = set(_found(scratch / SCRATCH))
    wanted = {folder for path in kept for folder in path.parents}
    for path in sorted(scratch.rglob("*")) if kept else [scratch]:
        if path in wanted or path in kept or not kept.isdisjoint(path.parents):
            continue
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            path.unlink(missing_ok=True)


def hand_over(earlier: Sequence[Path], scratch: Path) -> bool:
    """Move the checkpoints of the last attempt that left some into a new scratch folder.

    Args:
        earlier: scratch folders of attempts that are over, the last one first.
        scratch: that of the new attempt.

    Returns whether there were any. Raises OSError.
    """
    for former in earlier:
        found = list(_found(former / SCRATCH))
        for path in found:
            target = scratch / path.relative_to(former)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
        if found:
            return True
    return False


def _found(folder: Path) -> Iterator[Path]:
    """The outermost folders of checkpoints; no link is followed."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.is_symlink() or not path.is_dir():
            continue
        if path.name == FOLDER:
            yield path
        else:
            yield from _found(path)
