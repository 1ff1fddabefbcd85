"""A cell's identity: everything that changes its numbers, and a name made from it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cell:
    """Model + version + whole resolved config + data + protocol + seed (+ limit of a smoke run)."""

    model: str
    distribution: str
    version: str
    config: dict[str, Any]
    dataset: str
    fingerprint: str
    protocol: str
    seed: int
    limit: int | None = None

    @property
    def id(self) -> str:
        """Twelve hex digits of the sha256 of the canonical JSON."""
        return hashlib.sha256(canonical(asdict(self)).encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """The identity as it is stored, id first."""
        return {"id": self.id, **asdict(self)}


def canonical(value: Any) -> str:
    """JSON with sorted keys, no spaces and no NaN: one text for one value.

    Raises ValueError on NaN and infinities, which have no place in a config.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def slug(name: str) -> str:
    """A name as a folder: ``recbole:NeuMF`` becomes ``recbole-NeuMF``."""
    return re.sub(r"[^\w.@-]+", "-", name).strip("-.") or "unnamed"
