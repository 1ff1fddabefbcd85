"""Datasets of the Hugging Face hub, as a folder of tables: ``hf:owner/name@commit``.

They come through the library ``datasets`` (the extra ``hf``), which runs no code of a repository. A
configuration stands behind a colon: ``hf:owner/name:config@commit``. A folder here, ``hf:./mine``,
is read in the same way and needs no commit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmbench.data.log import DataError

PREFIX = "hf:"
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a dataset is.

    Attributes:
        repository: ``owner/name``, or a folder.
        config: of several that it holds; empty for the only one.
        commit: 40 hex digits; empty for a folder.
    """

    repository: str
    config: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was written, and what the repository says of itself.

    Attributes:
        folder: holds a Parquet file a split.
        licence: as the repository tells; may be empty.
        origin: a sentence.
        notes: what was left out.
    """

    folder: Path
    licence: str
    origin: str
    notes: tuple[str, ...]


def parse_address(text: str) -> Address:
    """The address in ``hf:owner/name[:config]@commit``. Raises DataError."""
    place, _, commit = text.removeprefix(PREFIX).partition("@")
    if Path(place.partition(":")[0]).expanduser().is_dir():
        place, _, config = place.partition(":")
        return Address(str(Path(place).expanduser()), config)
    repository, _, config = place.partition(":")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise DataError(f"{text!r}: write hf:owner/name@commit, or hf: and a folder that is here")
    if not COMMIT.fullmatch(commit):
        raise DataError(
            f"{text!r}: name the commit, 40 hex digits behind an @ (the page of the repository "
            "shows it under History): a branch changes, and a figure must not"
        )
    return Address(repository, config, commit)


def default_id(address: Address) -> str:
    """A dataset's id for an address: the repository's name, and the configuration's."""
    name = Path(address.repository).name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{name}-{address.config}" if address.config else name)


def fetch(address: Address, folder: Path, cache: Path) -> Fetched:
    """Write each split as ``<split>.parquet`` into a folder.

    Args:
        address: what to fetch.
        folder: where to; made if it is absent.
        cache: where the library keeps what it downloads.

    Raises:
        DataError: the library is not installed, or cannot read the repository.
    """
    try:
        import datasets
    except ImportError as error:
        raise DataError(
            "hf: needs the library `datasets`, which is not installed: pip install 'mmbench[hf]'"
        ) from error
    try:
        found = datasets.load_dataset(
            address.repository,
            address.config or None,
            revision=address.commit or None,
            cache_dir=str(cache),
        )
    except Exception as error:  # the library raises what its readers, hosts and formats do
        raise DataError(f"{address.repository}: `datasets` cannot read it: {error}") from error
    folder.mkdir(parents=True, exist_ok=True)
    notes: list[str] = []
    licence = ""
    for name, split in found.items():
        media = [c for c, kind in split.features.items() if _is_media(datasets, kind)]
        if media:
            split = split.remove_columns(media)
            notes.append(f"{name}: pictures and sound in {', '.join(media)} are left out")
        licence = licence or str(split.info.license or "")
        _write(split.to_parquet, folder / f"{name}.parquet")
    at = f" at {address.commit}" if address.commit else ""
    config = f", configuration {address.config}" if address.config else ""
    origin = f"Hugging Face datasets: {address.repository}{at}{config}"
    return Fetched(folder, licence, origin, tuple(notes))


def _is_media(datasets: Any, kind: Any) -> bool:
    """Whether a column holds pictures, sound or film."""
    names = ("Image", "Audio", "Video", "Pdf")
    kinds = tuple(getattr(datasets, name) for name in names if hasattr(datasets, name))
    inner = getattr(kind, "feature", kind)
    return isinstance(inner, kinds)


def _write(write: Callable[[str], Any], path: Path) -> None:
    """A file that is there whole or not at all."""
    beside = path.with_name(f".{path.name}")
    try:
        write(str(beside))
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
