"""One cache of item encodings for all plugins: what an encoder made of a content is made once.

A frozen encoder gives the same vector to the same text or picture, whatever dataset, model or seed
asks. So an encoding is kept under what it depends on: the encoder's description and a digest of the
content. A title that two datasets share is encoded once, a changed title anew::

    contents = [encodings.digest(text) for text in texts]
    encoder = {"id": "org/model", "revision": "1a2b...", "max_length": 128}
    vectors = encodings.cached(run.encodings, encoder, contents, encode)

On disk there is a folder for each encoder, with its description in ``encoder.json`` and any number
of ``shards``. A shard is a safetensors file, with a JSON manifest beside it that lists the digests
of the contents, row by row, and the file's sha256. No file is ever changed, so processes that work
on one folder do not disturb each other: at worst both encode the same content, and the first
manifest in the order of names counts. A killed process leaves its finished shards. A shard that is
not what its manifest says is removed and its contents are encoded again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmbench.files import write_atomically
from mmbench.views import Float32

CHUNK = 256
NAME = 16  # hex digits of a name

Encode = Callable[[Sequence[int]], Float32]

logger = logging.getLogger("mmbench.toolkit.encodings")


def digest(*parts: str | bytes) -> str:
    """The sha256, in hex digits, of a content: texts (as UTF-8), a picture file's bytes, or both.

    Lengths and kinds are digested too, so that ``("ab", "c")``, ``("a", "bc")`` and
    ``(b"ab", "c")`` all differ.
    """
    found = hashlib.sha256()
    for part in parts:
        kind, data = ("text", part.encode()) if isinstance(part, str) else ("bytes", part)
        found.update(f"{kind} {len(data)} ".encode())
        found.update(data)
    return found.hexdigest()


def cached(
    folder: Path,
    encoder: Mapping[str, Any],
    contents: Sequence[str],
    encode: Encode,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    chunk: int = CHUNK,
) -> Float32:
    """The encodings of contents, from the cache where they are there.

    Args:
        folder: ``run.encodings``.
        encoder: all that a vector depends on beside the content: the encoder's id, its revision and
            the settings of pre- and post-processing, as JSON-able data.
        contents: the ``digest`` of each content; equal ones are encoded once.
        encode: takes positions in ``contents``, at most ``chunk`` of them, and answers
            float32[m, d], a finite row for each.
        progress: told how many of the distinct contents are there; it may raise.
        chunk: contents that are encoded and stored at a time.

    Returns:
        float32[len(contents), d]; d is 0 where there is no content.

    Raises:
        ValueError: ``encode`` returned something else, or ``encoder`` holds what JSON does not.
        OSError: with the file's name, where the disk does not take a shard.
    """
    shards = _open(folder, encoder)
    first: dict[str, int] = {}
    for place, content in enumerate(contents):
        first.setdefault(content, place)
    found = dict(_read(shards, set(first)))
    missing = [content for content in first if content not in found]
    progress(len(found), len(first))
    for start in range(0, len(missing), chunk):
        part = missing[start : start + chunk]
        rows = _check(encode([first[content] for content in part]), len(part), encoder)
        _write(shards, part, rows)
        found.update(zip(part, rows, strict=True))
        progress(len(found), len(first))
    if not found:
        return np.zeros((0, 0), np.float32)
    widths = {len(row) for row in found.values()}
    if len(widths) > 1:
        raise ValueError(
            f"the encoder {dict(encoder)} has vectors of {sorted(widths)} columns in {shards}; its "
            "description must name every setting that changes a vector"
        )
    return np.stack([found[content] for content in contents])


def _open(folder: Path, encoder: Mapping[str, Any]) -> Path:
    """The folder of an encoder's shards, made if need be. Raises ValueError: not JSON."""
    try:
        text = json.dumps(encoder, sort_keys=True, allow_nan=False, ensure_ascii=False)
    except TypeError as error:
        raise ValueError(f"the encoder's description is not JSON-able: {error}") from error
    home = folder / digest(text)[:NAME]
    shards = home / "shards"
    shards.mkdir(parents=True, exist_ok=True)
    if not (home / "encoder.json").exists():  # for people; nothing reads it
        write_atomically(home / "encoder.json", text.encode())
    return shards


def _read(shards: Path, wanted: set[str]) -> Iterator[tuple[str, Float32]]:
    """The wanted contents that are there, each once, the first shard's in the order of names."""
    left = set(wanted)
    for path in sorted(shards.glob("*.json")):
        if not left:
            return
        shard = path.with_suffix(".safetensors")
        try:
            manifest = json.loads(path.read_bytes())
            contents: list[str] = manifest["contents"]
            useful = [place for place, content in enumerate(contents) if content in left]
            rows = _load(shard, manifest) if useful else ()
        except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
            logger.warning("%s is damaged (%s); what it held is encoded again", shard, error)
            path.unlink(missing_ok=True)
            shard.unlink(missing_ok=True)
            continue
        if len(rows):
            for place in useful:
                yield contents[place], rows[place]
            left.difference_update(contents)


def _load(path: Path, manifest: Mapping[str, Any]) -> Float32:
    """A shard's rows. Raises ValueError where it is not what its manifest says."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != manifest["sha256"]:
        raise ValueError(f"{path.name} differs from its checksum")
    try:
        rows = load(data)["encodings"]
    except SafetensorError as error:
        raise ValueError(f"{path.name}: {error}") from error
    if rows.dtype != np.float32 or rows.ndim != 2 or len(rows) != len(manifest["contents"]):
        raise ValueError(f"{path.name} holds {rows.dtype}{list(rows.shape)}")
    answer: Float32 = rows
    return answer


def _write(shards: Path, contents: Sequence[str], rows: Float32) -> None:
    """A shard and then its manifest: without that, a shard is nothing."""
    from safetensors.numpy import save

    data = save({"encodings": rows})
    sha256 = hashlib.sha256(data).hexdigest()
    # two sets of contents may have equal rows, so the name is that of both
    name = digest(sha256, *contents)[:NAME]
    manifest = {"sha256": sha256, "contents": list(contents)}
    write_atomically(shards / f"{name}.safetensors", data)
    write_atomically(shards / f"{name}.json", json.dumps(manifest).encode())


def _check(rows: Any, count: int, encoder: Mapping[str, Any]) -> Float32:
    """What ``encode`` returned, if it is what it must be. Raises ValueError."""
    array = np.ascontiguousarray(rows, dtype=np.float32)
    if array.ndim != 2 or len(array) != count:
        raise ValueError(
            f"the encoder {dict(encoder)} answered {array.shape} for {count} contents; "
            "a row for each is due"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"the encoder {dict(encoder)} answered NaN or infinity")
    return array
