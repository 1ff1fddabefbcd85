"""What either method hands on to be turned into ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mmbench.views import Float32


@dataclass(frozen=True, slots=True)
class Learned:
    """A space that is quantised, and the way there and back.

    Attributes:
        latents: float32[n, dim], what is quantised of each vector.
        books: float32[size, dim], the entries of each level.
        decode: float32[m, dim], sums of entries, to float32[m, d], the vectors they stand for.
        epoch: of the training, whose state was kept; 0 without one.
        restarts: how often a code of each level started anew.
    """

    latents: Float32
    books: tuple[Float32, ...]
    decode: Callable[[Float32], Float32]
    epoch: int
    restarts: tuple[int, ...]
