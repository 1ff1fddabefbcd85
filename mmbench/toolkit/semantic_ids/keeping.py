"""Semantic ids on the disk: one file, without pickle, that is whole or not there."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from mmbench.files import write_atomically
from mmbench.toolkit.encodings import NAME, digest
from mmbench.toolkit.semantic_ids.card import Card
from mmbench.toolkit.semantic_ids.config import SemanticIdConfig
from mmbench.toolkit.semantic_ids.make import SemanticIds, make_semantic_ids
from mmbench.views import Float32, Int32

VERSION = 1  # of what is made of the same vectors, config and seed, and of the file
FOLDER = "semantic-ids"
MARK = "mmbench.semantic_ids"

logger = logging.getLogger("mmbench.toolkit.semantic_ids")


class DamagedError(ValueError):
    """A file of ids that is not as it was written; the message names it."""


def save(ids: SemanticIds, path: Path) -> None:
    """Write ids and their card into a safetensors file. Raises OSError, which names the file."""
    about = json.dumps({"version": VERSION, "sizes": ids.sizes, "card": ids.card.to_dict()})
    # safetensors writes several texts in an order by chance
    told = json.dumps({"about": about, "sha256": _seal(ids.codes, about)})
    write_atomically(path, to_bytes({"codes": ids.codes}, metadata={MARK: told}))


def load(path: Path) -> SemanticIds:
    """What ``save`` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedError: the file is damaged, or none of ids that this version reads.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of semantic ids at {path}")
    try:
        with safe_open(path, "np") as file:
            told = json.loads((file.metadata() or {})[MARK])
            codes = file.get_tensor("codes")
        about = json.loads(told["about"])
        if _seal(codes, told["about"]) != told["sha256"]:
            raise DamagedError(f"{path} differs from its checksum; remove it, ids are made again")
        if about["version"] != VERSION:
            raise DamagedError(f"{path} is of version {about['version']}, {VERSION} is read")
        return SemanticIds(codes, tuple(about["sizes"]), Card.from_dict(about["card"]))
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise DamagedError(f"{path} is no whole file of semantic ids ({error}); remove it") from (
            error
        )


def cached(
    folder: Path,
    vectors: Float32,
    config: SemanticIdConfig,
    seed: int,
    *,
    device: str = "cpu",
    log: Callable[..., None] = lambda step, **values: None,
    progress: Callable[..., None] = lambda done, total, unit: None,
) -> SemanticIds:
    """``make_semantic_ids``, or what it made of the same vectors, config and seed before.

    Args:
        folder: ``run.encodings``.
        vectors: as there, and so are the others.
        config: how.
        seed: chance.
        device: of the training; ids that another device made are taken too.
        log: hears nothing where ids are there already.
        progress: the same.

    Raises:
        ValueError, FloatingPointError: as ``make_semantic_ids``.
        OSError: the disk does not take the file.
    """
    described = json.dumps([VERSION, dataclasses.asdict(config), seed, *vectors.shape])
    content = digest(described, np.ascontiguousarray(vectors, np.float32).tobytes())
    path = folder / FOLDER / f"{content[:NAME]}.safetensors"
    try:
        return load(path)
    except FileNotFoundError:
        pass
    except DamagedError as error:
        logger.warning("%s", error)
    ids = make_semantic_ids(vectors, config, seed, device=device, log=log, progress=progress)
    path.parent.mkdir(parents=True, exist_ok=True)
    save(ids, path)
    return ids


def _seal(codes: Int32, about: str) -> str:
    """Over the codes, with their shape and type, and what is told of them."""
    held = hashlib.sha256(f"{codes.dtype.str} {codes.shape} {about}".encode())
    held.update(np.ascontiguousarray(codes).tobytes())
    return held.hexdigest()
