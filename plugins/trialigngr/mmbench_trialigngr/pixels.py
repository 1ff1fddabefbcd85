"""What stands in for captions in tiny models: words for colours and the shape, by counting pixels.

The ground is the middle colour of the border. Nothing is learnt, and no label is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

VERSION = 1
SIDE = 48  # pixels that a picture is brought to
FAR = 60  # of 441: a pixel this far from the ground's colour is none of it
NAMES = {
    "black": (20, 20, 20),
    "white": (245, 245, 245),
    "grey": (128, 128, 128),
    "red": (214, 39, 40),
    "orange": (245, 130, 25),
    "yellow": (240, 215, 40),
    "green": (40, 150, 60),
    "cyan": (30, 180, 190),
    "blue": (40, 80, 205),
    "purple": (150, 75, 185),
    "pink": (240, 150, 190),
    "brown": (120, 75, 45),
}
FILLS = ((0.3, "sparse"), (0.53, "half"), (0.65, "branched"), (0.9, "full"), (2.0, "solid"))
EDGES = ((0.2, "pointed"), (0.75, "cut"), (2.0, "flat"))


def describe(picture: Picture) -> str:
    """Colour, how full its box is, how much of the box's edge it touches, where its weight is."""
    from PIL.Image import Resampling

    small = picture.convert("RGB").resize((SIDE, SIDE), Resampling.BOX)
    pixels = np.asarray(small).astype(np.int64)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    ground = np.median(border, axis=0)
    figure = np.sqrt(((pixels - ground) ** 2).sum(axis=2)) > FAR
    if not figure.any():
        return f"plain {_name(ground)}"
    rows, columns = np.flatnonzero(figure.any(axis=1)), np.flatnonzero(figure.any(axis=0))
    box = figure[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    edge = np.concatenate([box[0], box[-1], box[:, 0], box[:, -1]])
    words = [
        _name(np.median(pixels[figure], axis=0)),
        _level(float(box.mean()), FILLS),
        _level(float(edge.mean()), EDGES),
        _hollow(box),
        _balance(box),
    ]
    return f"{' '.join(word for word in words if word)} on {_name(ground)}"


def _name(colour: NDArray[np.float64]) -> str:
    """The nearest colour that has a name."""
    return min(NAMES, key=lambda name: float(((np.array(NAMES[name]) - colour) ** 2).sum()))


def _level(value: float, levels: tuple[tuple[float, str], ...]) -> str:
    return next(word for most, word in levels if value < most)


def _hollow(box: NDArray[np.bool_]) -> str:
    height, width = box.shape
    middle = box[height * 2 // 5 : height * 3 // 5 + 1, width * 2 // 5 : width * 3 // 5 + 1]
    return "hollow" if middle.mean() < 0.5 else ""


def _balance(box: NDArray[np.bool_]) -> str:
    """Whether much more of it is below, or above, the middle."""
    half = len(box) // 2
    above, below = float(box[:half].mean()) if half else 0.0, float(box[len(box) - half :].mean())
    if below > 1.5 * above:
        return "below"
    return "above" if above > 1.5 * below else ""
