"""Files that are there whole or not at all, names for them, and full disks called by their name.

And folders that go again, whatever a plugin has made in them.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np


def slug(name: str) -> str:
    """A name as a part of a path: ``recbole:NeuMF`` becomes ``recbole-NeuMF``."""
    return re.sub(r"[^\w.@-]+", "-", name).strip("-.") or "unnamed"


def write_atomically(path: Path, data: bytes) -> None:
    """Write a whole file or none. Raises OSError, which names the file."""
    put_in_place(write_beside(path, data), path)


def write_beside(path: Path, data: bytes) -> Path:
    """Write what shall be in ``path`` under a name beside it, flushed to the disk.

    The name begins with a dot and holds our process id, so that what a killed process left can be
    told from what is being written. Raises OSError, which names ``path``, and leaves no file then.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        if isinstance(error, OSError):
            error.filename = str(path)
        raise
    return beside


def put_in_place(beside: Path, path: Path) -> None:
    """Give a finished file its name."""
    os.replace(beside, path)
    sync(path.parent)


def save_array(path: Path, array: np.ndarray) -> None:
    """``numpy.save``, but on a full disk it raises an OSError that says so.

    (numpy hands the file to C's ``fwrite``, which only knows how many items it could not write.)
    """
    array = np.ascontiguousarray(array)
    header = np.lib.format.header_data_from_array_1_0(array)
    try:
        with open(path, "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            file.write(array.data)
    except OSError as error:
        error.filename = str(path)
        raise


def sync(path: Path) -> None:
    """Flush a file, or a folder's list of names, to the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock on a file, waiting for it. Who holds a removed one only does work twice.

    Raises OSError.
    """
    from filelock import FileLock  # not for every command

    with FileLock(path):
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows removes no file that is open
                path.unlink(missing_ok=True)


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder; one that goes away meanwhile does not count."""
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that goes afterwards, see ``remove_tree``."""
    made = Path(tempfile.mkdtemp(prefix="mmbench-"))
    try:
        yield made
    finally:
        remove_tree(made)


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it; what cannot be removed stays.

    Folders in it may be nested deeper than Python calls functions, or than a path is long, and
    closed to their owner. No link is followed.
    """
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    token, count, stuck = uuid.uuid4().hex, 0, set[str]()
    with contextlib.suppress(OSError):
        while inner := [name for name in _thin(folder) if name not in stuck]:
            for name in inner:
                try:
                    for deeper in _thin(folder / name):  # a floor up, where its path is short
                        count += 1
                        os.rename(folder / name / deeper, folder / f"{token}-{count}")
                    os.rmdir(folder / name)
                except OSError:
                    stuck.add(name)
        os.rmdir(folder)


def _thin(folder: Path) -> list[str]:
    """Remove the files in a folder, and name the folders in it. Raises OSError."""
    os.chmod(folder, 0o700)
    inner = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                os.chmod(entry.path, 0o700)
                inner.append(entry.name)
            else:
                os.unlink(entry.path)
    return inner
