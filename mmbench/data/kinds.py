"""Which of a dataset's pictures are not shown to models quite as they are, for people."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmbench.data.pictures import open_files
from mmbench.data.pixels import FORMATS, white_of
from mmbench.views import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MOST = 2000  # pictures that are looked at
SAID = {
    "moving": "move: their first frame counts",
    "deep": "have greys of 16 bits: they are scaled to 8, over the whole range",
    "dim": (
        "have greys of 16 bits and use 12 of them at most: if a camera of 12 bits wrote them, they "
        "are nearly black, and should be scaled beforehand"
    ),
    "palette": "have a palette: they are drawn in its colours",
    "transparent": "are transparent in part: they are laid on white",
}


def tell_kinds(root: Path, names: Sequence[str]) -> list[str]:
    """A sentence for each kind of picture that is changed, with its count.

    Only those with greys of 16 bits are decoded.
    """
    some = list(names)[:: max(1, -(-len(names) // MOST))]
    counts = dict.fromkeys(SAID, 0)
    with open_files(root) as read, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes, which those who decode refuse
        for name in some:
            try:
                data = read(name)
            except ImageError:
                continue  # counted with those that cannot be used
            for kind in _kinds(data):
                counts[kind] += 1
    of = f" of {len(some):,} that were looked at" if len(some) < len(names) else ""
    return [f"{root.name}: {n:,} pictures{of} {SAID[kind]}" for kind, n in counts.items() if n]


def _kinds(data: bytes) -> set[str]:
    """What is special of a picture's file; nothing, where it is none."""
    from PIL import Image, UnidentifiedImageError

    Image.init()
    try:
        known = [name for name in FORMATS if name in Image.OPEN]
        with Image.open(io.BytesIO(data), formats=known) as image:
            told = {
                "moving": getattr(image, "n_frames", 1) > 1,
                "deep": image.mode.startswith("I"),
                "dim": image.mode.startswith("I") and _is_dim(image),
                "palette": image.mode == "P",
                "transparent": image.has_transparency_data,
            }
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return set()
    return {kind for kind, found in told.items() if found}


def _is_dim(image: Picture) -> bool:
    """Whether a picture that declares 16 bits has no grey above those of 12."""
    return int(np.asarray(image).max()) < 1 << 12 < white_of(image)
