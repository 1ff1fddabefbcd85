"""Files that are there whole or not at all, names for them, and full disks called by their name."""

from __future__ import annotations

import contextlib
import os
import re
import threading
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


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder; one that goes away meanwhile does not count."""
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total
