"""What a search cost that chose a cell's settings: part of its record."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from mmbench.protocol.metrics import VALIDATION
from mmbench.results.cell import Part, canonical


class Tuning(Part):
    """A search for settings, as ``mmbench tune`` writes it beside the best it found.

    Attributes:
        study: what was searched, 12 hex digits over model, code, data, protocol, seed and space.
        space, space_digest: its name, and a digest of its ranges.
        dataset, protocol, seed: where it was searched.
        trials: that ended with a figure.
        failed: that ended without one.
        seconds: of all trials, failed ones included.
        value: the best ndcg@10 on the validation fold.
        settings: the best ones.
        held: settings that were given by hand and were the same in all trials.
        config_digest: of the whole config that they resolve to, see ``config_digest``.
    """

    study: str = Field(pattern=r"^[0-9a-f]{12}$")
    space: str
    space_digest: str = Field(pattern=r"^[0-9a-f]{12}$")
    dataset: str
    protocol: str
    seed: int
    trials: int = Field(ge=1)
    failed: int = Field(ge=0)
    seconds: float = Field(ge=0)
    value: float
    settings: dict[str, Any]
    held: dict[str, Any] = {}
    config_digest: str = Field(pattern=r"^[0-9a-f]{12}$")

    def figures(self) -> dict[str, list[tuple[int, float]]]:
        """The budget as figures of a row, see ``mmbench.report.cards``."""
        told = {
            "trials": self.trials + self.failed,
            "seconds": round(self.seconds),
            "settings searched": len(self.settings),
            f"best validation {VALIDATION}": self.value,
        }
        return {f"tuning: {name}": [(0, float(value))] for name, value in told.items()}


def config_digest(config: Mapping[str, Any]) -> str:
    """12 hex digits of the sha256 of a resolved config."""
    return hashlib.sha256(canonical(dict(config)).encode()).hexdigest()[:12]
