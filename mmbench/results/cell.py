"""A cell's identity: everything that changes its numbers, and a name made from it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cell:
    """Model + version + whole resolved config + data + protocol + seed, and what else was given."""

    model: str
    distribution: str
    version: str
    config: dict[str, Any]
    dataset: str
    fingerprint: str
    protocol: str
    seed: int
    limit: int | None = None
    upstream: dict[str, Any] | None = None  # to_json() of the cell whose item embeddings it reads
    fit_on: dict[str, str] | None = None  # dataset and fingerprint, where it is fitted on another
    together: list[dict[str, str]] | None = None  # all that it is fitted on, where on several

    @property
    def id(self) -> str:
        """Twelve hex digits of the sha256 of the canonical JSON."""
        return hashlib.sha256(canonical(self._identity()).encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """The identity as it is stored, id first; of the last three only what was given."""
        return {"id": self.id, **self._identity()}

    def _identity(self) -> dict[str, Any]:
        found = asdict(self)
        for name in ("upstream", "fit_on", "together"):
            if found[name] is None:
                del found[name]
        return found


def canonical(value: Any) -> str:
    """JSON with sorted keys, no spaces and no NaN: one text for one value.

    Raises ValueError on NaN and infinities, which have no place in a config.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
