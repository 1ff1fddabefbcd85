"""Exactly one result a cell: the first whole one wins, a later one that differs is kept aside.

A worker that was taken for lost may still be at work, and end while the next one does. Each writes
its result into a folder of its own, the bundle, and moves the files from there to their names, the
record last. Before a worker does so it takes away the bundles of the attempts before it, or stands
in the place of one that is not there yet: such a worker's next move finds no bundle, and so it has
changed either everything or nothing that the later one looks at. The record itself is linked to its
name, which fails on the server where there is one, whatever this machine remembers of the folder.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmbench.files import remove_tree, sync, write_atomically
from mmbench.results.claim import WORK, Claim
from mmbench.results.lease import stands
from mmbench.results.ranks import RANKS, table_of
from mmbench.results.record import Record, ResultError
from mmbench.results.store import (
    RECORD,
    Rendered,
    place_parts,
    read_record,
    record_path,
    write_bundle,
)

ASIDE = ".aside"
UNLINKABLE = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}


class Outrun(Exception):
    """Another worker has the cell, and has not stored its result yet; ours is of no use."""


@dataclass(frozen=True, slots=True)
class Published:
    """What is stored of a cell, and where ours was kept where it came late and differs."""

    record: Record
    aside: Path | None = None


def publish(
    root: Path, claim: Claim, made: Rendered, replaces: Callable[[Record], bool]
) -> Published:
    """Store a result as the only one of its cell.

    Args:
        root: the folder of results.
        claim: of the cell.
        made: the result.
        replaces: whether it takes the place of a record that is there. A finished one always takes
            that of one that is not.

    Raises OSError, leaving no half result, and Outrun.
    """
    cell = made.record.cell
    work, path = root / WORK, record_path(root, cell)
    bundle = bundle_path(work, cell.id, claim.lease.token)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        bundle.mkdir()
        write_bundle(bundle, made, path)
        if not stands(work, claim.lease):
            return _late(root, claim, made)
        for token in claim.earlier:
            _fence(bundle_path(work, cell.id, token))
        standing = read_record(root, cell)
        better = standing is not None and made.record.done and not standing.done
        if standing is not None and not (better or replaces(standing)):
            return _late(root, claim, made)
        place_parts(bundle, made, path)
        _commit(root, made, bundle / RECORD, new=standing is None)
        sync(path.parent)
    except (FileExistsError, FileNotFoundError):  # a later attempt took our bundle, or was first
        return _late(root, claim, made)
    finally:
        remove_tree(bundle)
    return Published(made.record)


def bundle_path(work: Path, cell: str, token: str) -> Path:
    """Where an attempt puts its files together."""
    return work / f"{cell}.{token}.out"


def kept_aside(root: Path) -> list[Path]:
    """The records that came late and differ from those that are stored."""
    return sorted((root / ASIDE).rglob(f"*{RECORD}"))


def _commit(root: Path, made: Rendered, record: Path, *, new: bool) -> None:
    """Give the record its name. Raises FileExistsError where it is ``new`` and another has it."""
    path = record_path(root, made.record.cell)
    if new:
        try:
            os.link(record, path)
        except FileExistsError:
            if read_record(root, made.record.cell) is not None:
                raise
        except OSError as error:
            if error.errno not in UNLINKABLE:
                raise
        else:
            return
    os.replace(record, path)  # a disk without links; a damaged record; one that is to be replaced


def _fence(bundle: Path) -> None:
    """Keep an attempt from all further steps. What stands in a bundle's place is a file."""
    while True:
        try:
            os.close(os.open(bundle, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        except FileExistsError:
            try:
                if not stat.S_ISDIR(os.lstat(bundle).st_mode):
                    return
                os.rename(bundle, bundle.with_suffix(".fenced"))
            except FileNotFoundError:
                continue  # it came to its end this moment
        return


def _late(root: Path, claim: Claim, made: Rendered) -> Published:
    """What is stored, and ours aside where it differs. Raises Outrun where nothing is yet."""
    standing = read_record(root, made.record.cell)
    if standing is None:
        raise Outrun(f"another worker has {made.record.label}, and has not come to its end yet")
    if _same(root, standing, made):
        return Published(standing)
    home = record_path(root, made.record.cell)
    folder = root / ASIDE / home.parent.relative_to(root) / claim.lease.token
    folder.mkdir(parents=True, exist_ok=True)
    for ending, data in made.files.items():
        if data is not None:
            write_atomically(folder / home.with_suffix(ending).name, data)
    return Published(standing, folder / home.name)


def _same(root: Path, standing: Record, made: Rendered) -> bool:
    """Whether two results say the same: ended alike, and have equal ranks."""
    ours = made.record
    if standing.status.kind != ours.status.kind:
        return False
    if not ours.done or standing.ranks_sha256 == ours.ranks_sha256:
        return True
    theirs, data = record_path(root, standing.cell).with_suffix(RANKS), made.files[RANKS]
    assert data is not None
    try:
        return bool(table_of(theirs.read_bytes()).equals(table_of(data)))
    except (OSError, ResultError):
        return False
