"""What files hold, by their sha256, remembered so that a large file is not read at every start.

A file is read again as soon as its size, inode, time of change of content or time of change of
state (ctime) differs. The last is what a program cannot set: a file whose content was changed and
whose time stamp was put back is noticed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmbench.files import write_atomically

SETTLED = 2 * 10**9
"""Nanoseconds: a file that changed later than that before now may change again unseen, within one
tick of the file system's clock, so its digest is not remembered."""

logger = logging.getLogger("mmbench.data")


def contents(
    path: Path, memory: Path, wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, str]:
    """``{name: sha256}`` of a file (its name is ``.``), or of the wanted files below a folder.

    Args:
        path: the file or folder.
        memory: the folder of what is remembered; made where it is absent.
        wanted: which files of a folder count, by their path in it.

    Raises:
        OSError: a file cannot be read.
    """
    store = memory / f"{hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:32]}.json"
    known = _recall(store)
    now = time.time_ns()
    found: dict[str, str] = {}
    kept: dict[str, list[Any]] = {}
    for name, file in _files(path):
        if name != "." and not wanted(name):
            continue
        state = _state(file)
        told = known.get(name)
        found[name] = told[1] if told is not None and told[0] == state else _digest(file)
        if state is not None and now - max(state[2:4]) > SETTLED:
            kept[name] = [state, found[name]]
    if kept != known:
        _remember(store, kept)
    return found


def digest_of(found: dict[str, str]) -> str:
    """One digest, 64 hex digits, of what ``contents`` returns."""
    return hashlib.sha256(json.dumps(sorted(found.items())).encode()).hexdigest()


def _files(path: Path) -> list[tuple[str, Path]]:
    if not path.is_dir():
        return [(".", path)]
    files = [Path(folder) / name for folder, _, names in os.walk(path) for name in names]
    return sorted((file.relative_to(path).as_posix(), file) for file in files)


def _state(file: Path) -> list[int] | None:
    """What changes with the content; None where nothing can be relied on, as on Windows."""
    if os.name == "nt":  # its ctime is that of creation
        return None
    state = file.stat()
    return [state.st_size, state.st_ino, state.st_mtime_ns, state.st_ctime_ns, state.st_dev]


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _recall(store: Path) -> dict[str, list[Any]]:
    """What is remembered; nothing, where the file is damaged."""
    try:
        known = json.loads(store.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        logger.warning("%s is damaged (%s); the files are read again", store, error)
        return {}
    whole = isinstance(known, dict) and all(
        isinstance(told, list) and len(told) == 2 for told in known.values()
    )
    return known if whole else {}


def _remember(store: Path, kept: dict[str, list[Any]]) -> None:
    """Write it down; where that cannot be, the files are read again next time."""
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(store, json.dumps(kept).encode())
    except OSError as error:
        logger.warning("%s cannot be written (%s); the files will be read again", store, error)
