"""The file in which all pictures of a catalogue are handed over, see ``mmbench.ImageStore``.

It is, one after the other: ``PICTURES``, a seal of 32 bytes, the number of offsets (8 bytes), the
offsets into the file (8 bytes each, from that of padding to the file's end), and the encoded
pictures of items 1, 2, 3 ... Numbers are little-endian. The seal is a sha256 over the numbers and
the sha256 of the pictures, so equal seals are equal files.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from mmbench.data.scratch import make_scratch
from mmbench.files import locked, sync
from mmbench.views import PICTURES, SEAL, ImageError, ImageStore

BLOCK = 1024 * 1024  # bytes that are read at a time

logger = logging.getLogger("mmbench.data")


def write_pictures(path: Path, n_items: int, pictures: Iterable[bytes]) -> ImageStore:
    """Write a file of pictures, whole or not at all.

    Args:
        path: the file; its folder is made if need be.
        n_items: size of the catalogue.
        pictures: the encoded picture of items 1, 2, 3 ...; no bytes where there is none.

    Raises OSError, and whatever ``pictures`` raises.
    """
    scratch = make_scratch(path.parent)
    try:
        beside = scratch / "pictures"
        _write(beside, n_items, pictures)
        sync(beside)
        beside.replace(path)
        sync(path.parent)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return ImageStore(path)


def make_once(path: Path, n_items: int, pictures: Iterable[bytes]) -> ImageStore:
    """As ``write_pictures``, unless the file is there already, whole.

    Of several processes that want the same file one writes it, and the others wait.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_name(f".{path.name}.lock")):
        if path.exists():
            if is_whole(path):
                return ImageStore(path)
            logger.warning("%s is damaged; the pictures are encoded again", path)
        return write_pictures(path, n_items, pictures)


def is_whole(path: Path) -> bool:
    """Whether a file of pictures is what its seal says; all of it is read."""
    try:
        offsets = ImageStore(path).offsets
        with open(path, "rb") as file:
            file.seek(int(offsets[0]))
            digest = hashlib.sha256()
            while block := file.read(BLOCK):
                digest.update(block)
    except (OSError, ImageError):
        return False
    return read_seal(path) == _seal(offsets, digest.digest())


def read_seal(path: Path) -> bytes:
    """What tells a file's pictures, and whose each is, from any other's: 32 bytes."""
    with open(path, "rb") as file:
        file.seek(len(PICTURES))
        return file.read(SEAL)


def join_pictures(parts: Sequence[tuple[ImageStore | None, int]]) -> ImageStore | None:
    """Several catalogues' pictures in one file, one catalogue after the other.

    Args:
        parts: of each catalogue, its pictures, or None, and its size.

    Returns None where no part has pictures. The file lies beside the first part's, is made once,
    and is named by the parts' contents.
    """
    stores = [(store, n_items) for store, n_items in parts if store is not None]
    if not stores:
        return None
    told = [f"{store and read_seal(store.path).hex()} {n_items}" for store, n_items in parts]
    name = hashlib.sha256("\n".join(["joined", *told]).encode()).hexdigest()[:16]

    def pictures() -> Iterator[bytes]:
        for store, n_items in parts:
            for item in range(1, n_items + 1):
                yield store.read(item) if store is not None and item in store else b""

    total = sum(n_items for _, n_items in parts)
    return make_once(stores[0][0].path.with_name(name), total, pictures())


def _write(path: Path, n_items: int, pictures: Iterable[bytes]) -> None:
    digest = hashlib.sha256()
    first = len(PICTURES) + SEAL + 8 * (1 + n_items + 2)
    offsets = [first, first]
    with open(path, "wb") as file:
        file.seek(first)
        for data in pictures:
            file.write(data)
            digest.update(data)
            offsets.append(offsets[-1] + len(data))
        if len(offsets) != n_items + 2:
            raise ValueError(f"{len(offsets) - 2} pictures for {n_items} items")
        table = np.array(offsets, dtype=np.int64)
        file.seek(0)
        file.write(PICTURES + _seal(table, digest.digest()) + _numbers(table))


def _seal(offsets: np.ndarray, pictures: bytes) -> bytes:
    return hashlib.sha256(_numbers(offsets) + pictures).digest()


def _numbers(offsets: np.ndarray) -> bytes:
    return len(offsets).to_bytes(8, "little") + offsets.astype("<i8").tobytes()
