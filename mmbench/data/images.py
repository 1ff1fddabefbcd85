"""Which picture belongs to which item; nothing is opened or extracted here."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mmbench.data.log import DataError

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
)


def is_image(name: str) -> bool:
    """Whether a file of this name is taken for a picture."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def list_files(root: Path) -> dict[str, int]:
    """``{name: size in bytes}`` of the pictures in a folder (with its subfolders) or a zip.

    Names use ``/`` and are sorted. Raises DataError where ``root`` is absent, the zip is damaged,
    or a name in it leads out of the archive.
    """
    if root.is_dir():
        return _list_folder(root)
    if not root.is_file():
        raise DataError(
            f"{root}: no such folder or zip of pictures; mend `path` under [images] in dataset.toml"
        )
    return _list_zip(root)


def _list_folder(root: Path) -> dict[str, int]:
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            if is_image(name):
                path = Path(folder) / name
                found[path.relative_to(root).as_posix()] = path.stat().st_size
    return dict(sorted(found.items()))


def _list_zip(root: Path) -> dict[str, int]:
    try:
        with zipfile.ZipFile(root) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise DataError(
            f"{root}: not a readable zip ({error}); it may be truncated: copy or download it again"
        ) from error
    for entry in entries:
        # The archive is read in place, but a hostile name is refused before anybody unpacks it.
        name = entry.orig_filename.replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/") or re.match(r"[A-Za-z]:", name):
            raise DataError(
                f"{root}: the name {entry.orig_filename!r} leads out of the archive; "
                "pack the pictures again with plain relative names"
            )
    files = {e.filename: e.file_size for e in entries if not e.is_dir() and is_image(e.filename)}
    return dict(sorted(files.items()))


def pair(names: Sequence[str], pattern: str) -> dict[str, str]:
    """``{item id: name}`` of the names that fit ``pattern``.

    ``{item}`` in the pattern stands for the id, ``*`` for any run of characters but ``/``, as in
    ``{item}.jpg`` or ``*/{item}.*``; an id is as long as can be. Of several pictures of an item
    the first name counts. Raises DataError for a pattern without ``{item}``.
    """
    if pattern.count("{item}") != 1:
        raise DataError(
            f"the picture pattern {pattern!r} must contain {{item}} once, as in '{{item}}.jpg'"
        )
    before, after = (
        "[^/]*".join(map(re.escape, part.split("*"))) for part in pattern.split("{item}")
    )
    fits = re.compile(f"{before}([^/]+){after}")
    found: dict[str, str] = {}
    for name in names:
        match = fits.fullmatch(name)
        if match:
            found.setdefault(match[1], name)
    return found
