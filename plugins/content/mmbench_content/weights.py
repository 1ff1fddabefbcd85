"""Pretrained encoders: which one is meant, where it is, how it gets there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

NAMED = re.compile(r"(?P<id>[\w.\-]+(/[\w.\-]+)?)@(?P<revision>[0-9a-f]{40})")
FILES = ("*.json", "*.txt", "*.model", "*.safetensors")  # nothing that would have to be unpickled


def split_name(encoder: str) -> tuple[str, str] | None:
    """Id and revision of ``name@revision``; None for anything else, which is then a folder."""
    match = NAMED.fullmatch(encoder)
    return (match["id"], match["revision"]) if match else None


def download(encoder: str, cache: Path) -> None:
    """Fetch a named encoder's files into the cache, unless they are there; leave folders alone.

    Raises FileNotFoundError, which says how to get the files, where the hub cannot be reached.
    """
    named = split_name(encoder)
    place = home(encoder, cache)
    if named is None or place.is_dir():
        return
    from huggingface_hub import snapshot_download

    partial = place.with_name(f"{place.name}.partial")
    try:
        snapshot_download(
            named[0],
            revision=named[1],
            local_dir=partial,
            allow_patterns=list(FILES),
            ignore_patterns=["*/*"],
        )
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "")
        raise FileNotFoundError(
            f"no weights of {encoder}: use --preset tiny, set the encoder to a folder that holds "
            f"such a model, or copy that revision's files ({', '.join(FILES)}) to {place}; the "
            f"download failed ({type(error).__name__}: {reason})"
        ) from error
    partial.rename(place)


def home(encoder: str, cache: Path) -> Path:
    """The folder of an encoder's files, there or not.

    Raises ValueError for a hub's name without a revision: what it means may change any day.
    """
    named = split_name(encoder)
    if named is not None:
        return cache / f"{named[0].replace('/', '--')}@{named[1]}"
    folder = Path(encoder).expanduser()
    if not folder.is_dir():
        raise ValueError(
            f"the encoder {encoder!r} is neither a folder nor a name with a revision; write "
            "name@<40 hex digits>"
        )
    return folder


def identity(encoder: str, cache: Path) -> Mapping[str, str]:
    """What a cache of encodings knows an encoder by: name and revision, or a folder's content."""
    named = split_name(encoder)
    if named is not None:
        return {"id": named[0], "revision": named[1]}
    files = (path for path in home(encoder, cache).iterdir() if any(map(path.match, FILES)))
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return {"folder": digest.hexdigest()}
