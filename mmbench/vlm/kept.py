"""Tensors by content: computed once, kept in memory and, where there is a folder, on the disk.

What a part of a backbone that stands still makes of a content never changes, so it is kept under a
description of that part and a digest of the content, in the tensor's own precision (bfloat16 takes
half of float32). ``mmbench.toolkit.encodings`` does the same for one float32 vector a content;
here each content has a matrix, of as many rows as it has tokens.

On disk there is a folder for each description, with any number of safetensors files whose tensors
are named by the contents' digests. No file is ever changed, so processes that work on one folder
do not disturb each other: at worst both compute the same. A file that cannot be read is removed
and its contents are computed again. Where the disk has less than ``SPARE`` bytes left, what is new
stays in memory and is gone with the process.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mmbench.files import write_atomically
from mmbench.toolkit.encodings import NAME, digest

SHARD = 16 * 1024**2  # bytes that are written together
SPARE = 2 * 1024**3  # bytes that are left free on the disk

logger = logging.getLogger("mmbench.vlm.kept")


class Kept:
    """Matrices by content; ``content in kept`` where one is there."""

    def __init__(self, folder: Path | None, about: Mapping[str, Any]) -> None:
        """Open what earlier fits kept.

        Args:
            folder: ``run.encodings``; without one, all stays in memory.
            about: all that a matrix depends on beside its content, as JSON-able data.
        """
        self._home: Path | None = None
        self._memory: dict[str, Tensor] = {}
        self._new: list[str] = []
        self._files: dict[str, Any] = {}
        if folder is not None:
            text = json.dumps(about, sort_keys=True, allow_nan=False)
            self._home = folder / digest(text)[:NAME] / "matrices"
            self._home.mkdir(parents=True, exist_ok=True)
            for path in sorted(self._home.glob("*.safetensors")):
                self._open(path)

    def __contains__(self, content: str) -> bool:
        return content in self._memory or content in self._files

    def take(self, content: str) -> Tensor:
        """[n, dim], the matrix of a content that is there, on the CPU."""
        if content in self._memory:
            return self._memory[content]
        found: Tensor = self._files[content].get_tensor(content)
        return found

    def put(self, content: str, matrix: Tensor) -> None:
        """Keep a matrix; it is on the disk after the next ``flush``, or a little before."""
        self._memory[content] = matrix.to("cpu", copy=True).contiguous()
        self._new.append(content)
        if self._home is not None and self._waiting() >= SHARD:
            self.flush()

    def flush(self) -> None:
        """Write what is new. Raises OSError where the disk does not take it."""
        if self._home is None or not self._new:
            return
        if shutil.disk_usage(self._home).free < SPARE + self._waiting():
            logger.warning(
                "less than %.0f GiB are free at %s: no more states are kept there",
                SPARE / 1024**3,
                self._home,
            )
            self._home = None
            return
        path = self._home / f"{digest(*self._new)[:NAME]}.safetensors"
        write_atomically(path, save({content: self._memory[content] for content in self._new}))
        self._open(path)
        for content in self._new:
            if content in self._files:
                del self._memory[content]
        self._new = []

    def _waiting(self) -> int:
        return sum(self._memory[content].nbytes for content in self._new)

    def _open(self, path: Path) -> None:
        try:
            shard = safe_open(path, framework="pt")
            self._files.update(dict.fromkeys(shard.keys(), shard))  # type: ignore[no-untyped-call]
        except (SafetensorError, FileNotFoundError) as error:
            logger.warning("%s is damaged (%s); what it held is computed again", path, error)
            path.unlink(missing_ok=True)
