"""Prepared logs on disk: whole or absent, checked when read, never pickled.

An entry is the folder ``prepared/<id>-<key>`` of the cache: ``user.npy``, ``item.npy``,
``time.npy``, ``names.json`` (ids, texts, digests of the dataset's pictures), ``meta.json``
(identity and card) and ``manifest.json`` (the sha256 of each of the others). The file of pictures
that a plugin is handed lies apart, below ``pictures``, as it is open to the plugin.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mmbench.data.digests import contents, digest_of
from mmbench.data.fingerprint import (
    Fingerprints,
    events_fingerprint,
    pictures_fingerprint,
    text_fingerprint,
)
from mmbench.data.log import Log, PictureSource
from mmbench.data.pictures import file_name
from mmbench.data.scratch import make_scratch
from mmbench.data.secret import make_secret, secret_order
from mmbench.files import save_array, sync
from mmbench.hookspecs import DatasetInfo
from mmbench.views import ImageStore, Items

LAYOUT = 4
ARRAYS = ("user", "item", "time")
FILES = (*(f"{name}.npy" for name in ARRAYS), "names.json", "meta.json")

logger = logging.getLogger("mmbench.data")


def entry_key(info: DatasetInfo, stamp: Mapping[str, Any]) -> str:
    """16 hex digits of what a prepared log depends on: source, recipe and the preparing code.

    Args:
        info: with the recipe.
        stamp: JSON-able identity of the source, such as its files' names, sizes and times.
    """
    digest = hashlib.sha256(f"layout {LAYOUT}".encode())
    digest.update(_code().encode())
    whole = {"info": asdict(info), "stamp": stamp}
    digest.update(json.dumps(whole, sort_keys=True, allow_nan=False).encode())
    return digest.hexdigest()[:16]


@cache
def _code() -> str:
    """Digest of all that may be between a source and its log: every module of this folder."""
    modules = sorted(Path(__file__).parent.glob("*.py"))
    told = [[module.name, module.read_bytes().hex()] for module in modules]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def pictures_folder(entry: Path) -> Path:
    """Where the files of pictures are that the entries of a cache are about."""
    return entry.parents[1] / "pictures"


def load(folder: Path, memory: Path) -> Log | None:
    """The log of an entry, its arrays memory-mapped; ``None`` where there is none to be used.

    The dataset's pictures, and the file of them, must be those that it was prepared with. Neither
    is read for that while nothing tells of a change; ``memory`` as in ``digests.contents``. A
    damaged entry is reported through the log ``mmbench.data`` and answered with ``None``.
    """
    if not folder.is_dir():
        return None
    try:
        _check(folder)
        meta = json.loads((folder / "meta.json").read_text("utf-8"))
        names = json.loads((folder / "names.json").read_text("utf-8"))
        arrays = {
            name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False))
            for name in ARRAYS
        }
        log = _assemble(meta, names, arrays, pictures_folder(folder))
        if log.picture_source is not None:
            if not log.picture_source.root.exists():
                raise ValueError(f"its pictures are no longer in {log.picture_source.root}")
            if meta["pictures"] != _pictures(log, memory):
                raise ValueError(f"its pictures in {log.picture_source.root} are others now")
        _check_contents(log)
        return log
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("the prepared log in %s is damaged (%s); it is made again", folder, error)
        return None


def store(log: Log, folder: Path, memory: Path) -> None:
    """Write an entry so that it is there whole or not at all, whatever happens meanwhile.

    ``memory`` as in ``digests.contents``.
    """
    scratch = make_scratch(folder.parent)
    mine = scratch.name
    try:
        _write(log, scratch, _pictures(log, memory))
        if folder.exists():
            folder.rename(folder.parent / f"{mine}-old")
        scratch.rename(folder)
        sync(folder.parent)
    except OSError as error:
        # Another process may have put the same entry there in between.
        if not folder.is_dir():
            error.filename = error.filename or str(folder)
            raise
    finally:
        for left in folder.parent.glob(f"{mine}*"):
            shutil.rmtree(left, ignore_errors=True)


def _check(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    for name in FILES:
        with (folder / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != manifest[name]:
                raise ValueError(f"{name} differs from its checksum")


def _check_contents(log: Log) -> None:
    """Raise ValueError where a log is not the one that its fingerprints and its secret are of.

    The manifest tells damage; this tells arrays or texts that were written over, manifest and all.
    """
    users, items = log.user_ids, log.item_ids[1:]
    if log.secret != make_secret(users, items, log.user, log.item - 1, log.time):
        raise ValueError("its secret is of other events")
    for kind, ids in (("users", users), ("items", items)):
        if np.any(np.diff(secret_order(log.secret, kind, ids)) != 1):
            raise ValueError(f"its {kind} are not in the order of their secret")
    if log.fingerprints.events != events_fingerprint(log, log.card["steps"], log.card["recipe"]):
        raise ValueError("its fingerprint is of other events")
    if log.fingerprints.text != text_fingerprint(log.items):
        raise ValueError("its fingerprint is of other texts")
    digests = log.picture_source.digests if log.picture_source else ()
    if log.fingerprints.pictures != pictures_fingerprint(digests):
        raise ValueError("its fingerprint is of other pictures")


def _assemble(
    meta: dict[str, Any], names: dict[str, Any], arrays: dict[str, np.ndarray], pictures: Path
) -> Log:
    images = source = None
    if meta["images_root"] is not None:
        source = PictureSource(Path(meta["images_root"]), tuple(names["pictures"]))
        images = ImageStore(pictures / file_name(source.digests))
    items = Items(
        n_items=meta["n_items"],
        fields={name: tuple(texts) for name, texts in names["fields"]},
        images=images,
    )
    return Log(
        id=meta["id"],
        fingerprints=Fingerprints(**meta["fingerprints"]),
        secret=bytes.fromhex(meta["secret"]),
        **arrays,
        n_users=meta["n_users"],
        n_items=meta["n_items"],
        items=items,
        user_ids=tuple(names["user_ids"]),
        item_ids=tuple(names["item_ids"]),
        card=meta["card"],
        picture_source=source,
    )


def _pictures(log: Log, memory: Path) -> list[str]:
    """Digests of the dataset's own pictures and of the file that they are handed over in."""
    if log.items.images is None or log.picture_source is None:
        return []
    files = (log.picture_source.root, log.items.images.path)
    return [digest_of(contents(path, memory)) for path in files]


def _write(log: Log, scratch: Path, pictures: Sequence[str]) -> None:
    source = log.picture_source
    for name in ARRAYS:
        save_array(scratch / f"{name}.npy", getattr(log, name))
    names = {
        "user_ids": log.user_ids,
        "item_ids": log.item_ids,
        "fields": [[name, list(texts)] for name, texts in log.items.fields.items()],
        "pictures": source and source.digests,
    }
    meta = {
        "id": log.id,
        "fingerprints": asdict(log.fingerprints),
        "secret": log.secret.hex(),
        "n_users": log.n_users,
        "n_items": log.n_items,
        "pictures": list(pictures),
        "images_root": source and str(source.root),
        "card": log.card,
    }
    (scratch / "names.json").write_text(json.dumps(names), "utf-8")
    (scratch / "meta.json").write_text(json.dumps(meta, allow_nan=False), "utf-8")
    manifest = {name: hashlib.sha256((scratch / name).read_bytes()).hexdigest() for name in FILES}
    (scratch / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    for path in (*scratch.iterdir(), scratch):
        sync(path)
