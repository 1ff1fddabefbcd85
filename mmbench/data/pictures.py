"""From a dataset's picture files to the one file that is handed over.

The file is made once for the same pictures in the same order, and is named by their contents. The
fingerprint of a log's pictures is made of the same digests: those of the dataset's own files, byte
by byte, so that it is the same on every machine, whatever decodes them there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mmbench.data.log import DataError, PictureSource
from mmbench.data.picture_file import make_once
from mmbench.data.pixels import ENCODING, MAX_BYTES, decode, encode
from mmbench.views import ImageError, ImageStore

AHEAD = 8  # pictures a processor that are in memory at a time
Read = Callable[[str], bytes]

logger = logging.getLogger("mmbench.data")


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What has become of a dataset's pictures.

    Attributes:
        images: those that are handed over.
        source: what they were made of.
        unusable: how many are not, as they are damaged, too large, or cannot be read.
    """

    images: ImageStore
    source: PictureSource
    unusable: int


def hand_over(
    root: Path,
    names: Sequence[str | None],
    folder: Path,
    progress: Callable[[int, int, str], None] = lambda done, total, unit: None,
) -> HandedOver:
    """Make the file of a catalogue's pictures, unless it is there.

    Pictures that cannot be used count as missing; the log ``mmbench.data`` is told of them.

    Args:
        root: a folder or a ``.zip`` file.
        names: a path inside ``root`` for each item, or None; index 0 is padding.
        folder: where such files lie.
        progress: told of the pictures that are done.

    Raises DataError where a file changes while it is read, and OSError.
    """
    problems: list[str] = []
    with open_files(root) as read:
        digests = tuple("" if name is None else _digest(read, name, problems) for name in names)
        encoded = _encoded(read, names, digests, problems, progress)
        images = make_once(folder / file_name(digests), len(names) - 1, encoded)
    unusable = sum(name is not None for name in names) - len(images.items())
    if unusable:
        first = f", such as {problems[0]}" if problems else ""
        logger.warning(
            "pictures in %s that cannot be used and count as missing: %d%s", root, unusable, first
        )
    return HandedOver(images, PictureSource(root.absolute(), digests), unusable)


def file_name(digests: Sequence[str]) -> str:
    """The name of the file that is made of pictures with these digests, in this order."""
    told = json.dumps([ENCODING, *digests])
    return hashlib.sha256(f"mmbench: file of pictures, {told}".encode()).hexdigest()[:16]


@contextlib.contextmanager
def open_files(root: Path) -> Iterator[Read]:
    """A function that returns a file's bytes by its name; it raises ImageError."""

    def guarded(read: Read, size: Callable[[str], int]) -> Read:
        def answer(name: str) -> bytes:
            try:
                if size(name) > MAX_BYTES:
                    raise ImageError(f"{name} has {size(name):,} bytes, more than {MAX_BYTES:,}")
                return read(name)
            except (ImageError, MemoryError):
                raise
            except Exception as error:  # each of a zip's ways to compress raises its own
                raise ImageError(f"{name} cannot be read: {error}") from error

        return answer

    if root.is_dir():
        yield guarded(
            lambda name: (root / name).read_bytes(), lambda name: (root / name).stat().st_size
        )
        return
    with zipfile.ZipFile(root) as archive:
        yield guarded(archive.read, lambda name: archive.getinfo(name).file_size)


def encode_anew(name: str, data: bytes) -> bytes:
    """A picture file's bytes as they are handed over. Raises ImageError, which names the file."""
    try:
        return encode(decode(data))
    except ImageError as error:
        raise ImageError(f"{name} {error}") from error


def _digest(read: Read, name: str, problems: list[str]) -> str:
    """The sha256 of a file, 64 hex digits; empty where there is nothing to be used."""
    try:
        return hashlib.sha256(read(name)).hexdigest()
    except ImageError as error:
        problems.append(str(error))
        return ""


def _encoded(
    read: Read,
    names: Sequence[str | None],
    digests: Sequence[str],
    problems: list[str],
    progress: Callable[[int, int, str], None],
) -> Iterator[bytes]:
    """The pictures of items 1, 2, 3 ... as they are handed over, no bytes where there is none."""
    from PIL import Image

    workers, total = os.cpu_count() or 1, len(names) - 1
    step = AHEAD * workers
    with ThreadPoolExecutor(workers) as pool, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for start in range(1, total + 1, step):
            part = slice(start, start + step)
            files = [
                _read_again(read, name, digest) if name is not None and digest else b""
                for name, digest in zip(names[part], digests[part], strict=True)
            ]
            for found in pool.map(_try_to_encode, files, names[part]):
                if isinstance(found, ImageError):
                    problems.append(str(found))
                yield b"" if isinstance(found, ImageError) else found
            progress(min(start + step - 1, total), total, "pictures")


def _read_again(read: Read, name: str, digest: str) -> bytes:
    """A file's bytes, which must still be those of its digest."""
    with contextlib.suppress(ImageError):
        data = read(name)
        if hashlib.sha256(data).hexdigest() == digest:
            return data
    raise DataError(f"the picture {name} has changed while it was read; try again")


def _try_to_encode(data: bytes, name: str | None) -> bytes | ImageError:
    try:
        return encode_anew(str(name), data) if data else b""
    except ImageError as error:
        return error
