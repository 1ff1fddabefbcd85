"""Vectors of pictures by counting colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Float32 = NDArray[np.float32]

SIDE = 32  # pixels that a picture is brought to
HUES, SATURATIONS, VALUES, GREYS = 8, 2, 3, 4
COLOURED = 48  # of 255: below this saturation a pixel is grey, and its hue means nothing
BINS = HUES * SATURATIONS * VALUES + GREYS


def colour_histogram(picture: Picture) -> Float32:
    """float32[5 * BINS], of length 1: colours of the whole picture and of its four quarters.

    A histogram over hue, saturation and value (8 x 2 x 3, and 4 greys), its roots taken, so that an
    inner product of two is the Bhattacharyya coefficient of their colours.
    """
    from PIL.Image import Resampling

    small = picture.convert("RGB").resize((SIDE, SIDE), Resampling.BOX).convert("HSV")
    hue, saturation, value = np.moveaxis(np.asarray(small).astype(np.int64), 2, 0)
    strong = np.maximum(saturation - COLOURED, 0) * SATURATIONS // (256 - COLOURED)
    coloured = ((hue * HUES // 256) * SATURATIONS + strong) * VALUES + value * VALUES // 256
    bins = np.where(saturation < COLOURED, BINS - GREYS + value * GREYS // 256, coloured)
    half = SIDE // 2
    cells = (bins, bins[:half, :half], bins[:half, half:], bins[half:, :half], bins[half:, half:])
    shares = [np.bincount(cell.ravel(), minlength=BINS) / cell.size for cell in cells]
    return np.sqrt(np.concatenate(shares) / len(cells)).astype(np.float32)
