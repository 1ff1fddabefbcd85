"""The reports on a multimodal model's embeddings, made while its process still answers."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from mmbench.grid.host import Host, PluginFailure
from mmbench.protocol import Protocol, Split
from mmbench.protocol.geometry import geometry, modality_report

ROWS = 4096  # queries that are embedded at a time


def describe_spaces(
    host: Host, name: str, split: Split, n_items: int, protocol: Protocol
) -> dict[str, Any]:
    """Geometry of each space and the modality report of the test queries.

    Returns:
        ``geometry``: space to figures; ``modalities``: ``f2f``, ``t2f``, ``v2f`` to candidate set
        to metrics; ``embed_seconds``: wall time of embedding the catalogue.

    Raises PluginFailure for embeddings of a wrong shape or with numbers that are not finite.
    """
    fold = split.test
    started = time.perf_counter()
    items = {space: np.array(found) for space, found in host.embed_items().items()}
    seconds = time.perf_counter() - started
    parts: dict[str, list[np.ndarray]] = {space: [] for space in items}
    for start in range(0, len(fold), ROWS):
        rows = slice(start, min(start + ROWS, len(fold)))
        answered = host.embed_queries("test", rows)
        if set(answered) != set(items):
            raise PluginFailure(
                "failed",
                f"{name}: embed_queries answered {sorted(answered)}, embed_items {sorted(items)}",
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
        if len(found) != n_items + 1 or found.shape[1] != queries[space].shape[1]:
            raise PluginFailure(
                "failed",
                f"{name}: the {space} embeddings are {found.shape} for {n_items} items and "
                f"{queries[space].shape} for queries",
            )
        if not (np.isfinite(found).all() and np.isfinite(queries[space]).all()):
            raise PluginFailure("failed", f"{name}: the {space} embeddings are not all finite")
    report: dict[str, Any] = {
        "geometry": {space: geometry(queries[space], items[space], fold) for space in items},
        "embed_seconds": round(seconds, 3),
    }
    if "fused" in items:
        report["modalities"] = modality_report(queries, items["fused"], fold, protocol)
    return report
