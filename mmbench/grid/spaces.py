"""The reports on a multimodal model's embeddings, made while its process still answers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmbench.grid.host import Host, PluginFailure
from mmbench.protocol import Fold, Place, Protocol
from mmbench.protocol.geometry import geometry, modality_report
from mmbench.views import Float32

ROWS = 4096  # queries that are embedded at a time


@dataclass(frozen=True, slots=True)
class Embedded:
    """The catalogue in a plugin's spaces, float32[n_items + 1, d] each, and how long that took."""

    spaces: dict[str, Float32]
    seconds: float

    def part(self, place: Place) -> Embedded:
        """Those of a part, where the catalogue is a join."""
        return Embedded({name: place.rows(f) for name, f in self.spaces.items()}, self.seconds)

    def fused(self, name: str) -> Float32:
        """The space that other cells start from. Raises PluginFailure where there is none."""
        if "fused" not in self.spaces:
            raise PluginFailure("failed", f"{name}: embed_items answered no 'fused' space")
        return self.spaces["fused"]


def embed_catalogue(host: Host, name: str, n_items: int) -> Embedded:
    """The plugin's item embeddings. Raises PluginFailure for a wrong shape or odd numbers."""
    started = time.perf_counter()
    spaces = {space: np.array(found) for space, found in host.embed_items().items()}
    seconds = time.perf_counter() - started
    for found in spaces.values():
        if len(found) != n_items + 1:
            raise PluginFailure(
                "failed", f"{name}: embed_items answered {len(found)} rows for {n_items} items"
            )
        if not np.isfinite(found).all():
            raise PluginFailure("failed", f"{name}: embed_items answered NaN or infinite numbers")
    return Embedded(spaces, seconds)


def describe_spaces(
    host: Host, name: str, fold: Fold, embedded: Embedded, protocol: Protocol
) -> dict[str, Any]:
    """Geometry of each space and the modality report of the test queries.

    Returns:
        ``geometry``: space to figures; ``modalities``: ``f2f``, ``t2f``, ``v2f`` to candidate set
        to metrics; ``embed_seconds``: wall time of embedding the catalogue.

    Raises PluginFailure for embeddings of a wrong shape or with numbers that are not finite.
    """
    items = embedded.spaces
    parts: dict[str, list[np.ndarray]] = {space: [] for space in items}
    for start in range(0, len(fold), ROWS):
        rows = slice(start, min(start + ROWS, len(fold)))
        answered = host.embed_queries("test", rows)
        if set(answered) != set(items):
            raise PluginFailure(
                "failed",
                f"{name}: embed_queries answered {sorted(answered)}, embed_items {sorted(items)}: "
                "return the same spaces in both hooks",
            )
        for space, found in answered.items():
            if len(found) != rows.stop - rows.start:
                raise PluginFailure(
                    "failed",
                    f"{name}: embed_queries answered {len(found)} rows for "
                    f"{rows.stop - rows.start} queries",
                )
            parts[space].append(np.array(found))
    queries = {space: np.concatenate(found) for space, found in parts.items()}
    for space, found in items.items():
        if found.shape[1] != queries[space].shape[1]:
            raise PluginFailure(
                "failed",
                f"{name}: the {space} embeddings are {found.shape} for items and "
                f"{queries[space].shape} for queries",
            )
        if not np.isfinite(queries[space]).all():
            raise PluginFailure("failed", f"{name}: the {space} embeddings are not all finite")
    report: dict[str, Any] = {
        "geometry": {space: geometry(queries[space], items[space], fold) for space in items},
        "embed_seconds": round(embedded.seconds, 3),
    }
    if "fused" in items:
        report["modalities"] = modality_report(queries, items["fused"], fold, protocol)
    return report
