"""Files as they lie about: plain, packed (``.gz``, ``.bz2``, ``.xz``), or inside a zip.

A zip stands like a folder: ``shop/ml-1m.zip/ml-1m/ratings.dat`` is a path.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

from mmbench.data.log import DataError
from mmbench.data.spec import PACKED

OPENERS: Mapping[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
DEPTH = 4  # folders below the dataset's own that are looked into
DAMAGE = (zipfile.BadZipFile, gzip.BadGzipFile, lzma.LZMAError, EOFError, zlib.error, RuntimeError)


def split_zip(path: Path) -> tuple[Path, str]:
    """The file on disk and the name inside it, which is empty where it is no zip."""
    for parent in path.parents:
        if parent.suffix.lower() == ".zip" and parent.is_file():
            return parent, path.relative_to(parent).as_posix()
    return path, ""


def exists(path: Path) -> bool:
    """Whether there is such a file, on disk or in a zip."""
    place, inside = split_zip(path)
    if not inside:
        return place.is_file()
    with _told(place), zipfile.ZipFile(place) as archive:
        return inside in archive.namelist()


def size(path: Path) -> int:
    """Bytes of a file; of one in a zip when it is unpacked."""
    place, inside = split_zip(path)
    if not inside:
        return place.stat().st_size
    with _told(place), zipfile.ZipFile(place) as archive:
        return archive.getinfo(inside).file_size


@contextlib.contextmanager
def open_packed(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked while they are read. Raises DataError where it is damaged."""
    place, inside = split_zip(path)
    with _told(path), contextlib.ExitStack() as stack:
        file: IO[bytes]
        if inside:
            archive = stack.enter_context(zipfile.ZipFile(place))
            if inside not in archive.namelist():
                raise DataError(f"{place}: holds no {inside}; mend its name in dataset.toml")
            file = stack.enter_context(archive.open(inside))
        else:
            file = stack.enter_context(place.open("rb"))
        packing = path.suffix.lower()
        if packing in PACKED:
            file = stack.enter_context(OPENERS[packing](file, "rb"))
        yield file


@contextlib.contextmanager
def as_characters(file: IO[bytes], encoding: str, newline: str | None = None) -> Iterator[IO[str]]:
    """The characters of an open file, which stays open; ``newline`` as in ``open``."""
    text = io.TextIOWrapper(file, encoding, newline=newline)  # type: ignore[type-var]
    try:
        yield text
    finally:
        if not file.closed:  # as where a reader is given up half way
            text.detach()


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise DataError(
            f"{path}: cannot be unpacked ({error}); it may be truncated: copy or download it again"
        ) from error


def list_names(folder: Path) -> list[str]:
    """All files below a folder, those in zips too, by their paths; hidden ones are left out.

    No more than ``DEPTH`` folders deep; a folder below that is named with a ``/`` at its end. A zip
    that cannot be read is named alone.
    """
    found: list[str] = []
    for place, folders, names in os.walk(folder):
        inside = Path(place).relative_to(folder)
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        if len(inside.parts) >= DEPTH:
            found += [(inside / name).as_posix() + "/" for name in folders]
            folders.clear()
        for name in names:
            if _is_hidden(name):
                continue
            path = (inside / name).as_posix()
            members = _members(folder / path) if path.lower().endswith(".zip") else []
            found += [f"{path}/{member}" for member in members] or [path]
    return sorted(found)


def _members(path: Path) -> list[str]:
    """The files in a zip; none, where it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    except (OSError, NotImplementedError, *DAMAGE):
        return []
    return [name for name in entries if not any(map(_is_hidden, PurePosixPath(name).parts))]


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))
