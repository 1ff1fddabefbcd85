"""Features of items, standardised and brought to the size of the vectors that GPT-2 knows.

An encoder's features are of another size than the token vectors that pretrained layers, and a tied
softmax, expect. So each column has mean 0 over the items, and the standard deviation of the
pretrained token table. Plain NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbench import find_duplicates

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

SMALL = 1e-6  # a column that spreads less than this share of the widest says nothing


@dataclass(frozen=True, slots=True)
class Features:
    """What a frozen encoder made of one modality of the items.

    Attributes:
        vectors: float32[n_items, k].
        known: bool[n_items], which items have such content.
    """

    vectors: Float32
    known: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Block:
    """How features become a part of an item's vector; learned from one catalogue.

    Attributes:
        mean: float64[k], of the known items.
        map: float64[k, m]: the principal components where there are more columns than places, and
            the scale.
    """

    mean: Float64
    map: Float64

    @property
    def width(self) -> int:
        """The columns that it makes, m."""
        return len(self.map.T)

    def apply(self, features: Features) -> Float32:
        """float32[n_items, m]: zeros, the mean, for items without content; equal rows stay equal.

        Raises ValueError for features of another number of columns.
        """
        if features.vectors.shape[1] != len(self.mean):
            raise ValueError(
                f"these features have {features.vectors.shape[1]} columns, and those that were "
                f"learned from had {len(self.mean)}"
            )
        placed = ((features.vectors - self.mean) @ self.map).astype(np.float32)
        later, first = find_duplicates(features.vectors)
        placed[later] = placed[first]
        placed[~features.known] = 0
        return placed


def learn_block(features: Features, width: int, deviation: float) -> Block:
    """The standardisation of features to at most ``width`` columns of this standard deviation.

    Args:
        features: of the catalogue that is fitted on.
        width: places in an item's vector. Where there are more columns, their first principal
            components over the known items are taken.
        deviation: of each column afterwards, over the known items.

    A column in which the known items do not differ becomes 0. Raises ValueError where no item has
    content.
    """
    if not features.known.any():
        raise ValueError("no item has content of this modality, so there is nothing to standardise")
    values = features.vectors[features.known].astype(np.float64)
    mean = values.mean(axis=0)
    centred = values - mean
    turned = np.eye(values.shape[1])
    if values.shape[1] > width:
        turned = _components(centred, width)
    spread = (centred @ turned).std(axis=0)
    flat = spread <= SMALL * max(float(spread.max()), np.finfo(float).tiny)
    return Block(mean, turned * np.where(flat, 0, deviation / np.where(flat, 1, spread)))


def _components(centred: Float64, width: int) -> Float64:
    """float64[k, width]: principal components, the largest first, each with its largest entry > 0.

    The sign is settled because libraries differ in it.
    """
    _, directions = np.linalg.eigh(centred.T @ centred)
    chosen = directions[:, ::-1][:, :width]
    largest = np.abs(chosen).argmax(axis=0)
    signed: Float64 = chosen * np.sign(chosen[largest, np.arange(chosen.shape[1])])
    return signed
