"""Two candidate sets at each position, and which of them is preferred where no ranker need say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

TRIES = 10  # that ``resample`` makes before it inserts


@dataclass(frozen=True, slots=True)
class Pairs:
    """n pairs of candidate sets.

    Attributes:
        first, second: int64[n, k], columns of the catalogue, in the order of the draw.
        in_first, in_second: bool[n], whether the set holds the target.
        inserted: bool[n], whether the target was put into the first set, as neither held it.
    """

    first: Tensor
    second: Tensor
    in_first: Tensor
    in_second: Tensor
    inserted: Tensor

    @property
    def judged(self) -> Tensor:
        """bool[n]: both hold the target, so the ranker says which is preferred."""
        return self.in_first & self.in_second


def draw_pairs(
    probability: Tensor,
    target: Tensor,
    size: int,
    generator: torch.Generator,
    neither: Literal["insert", "resample"] = "insert",
) -> Pairs:
    """Draw two sets without replacement at each position.

    Args:
        probability: float[n, N], of the catalogue; no gradient flows through the draw.
        target: int64[n], columns.
        size: items of a set; the catalogue's size where that is smaller.
        generator: the chance.
        neither: where no set holds the target, the paper draws both again (``resample``), which
            may never end; the reference code puts it in the place of the first set's first item
            (``insert``). After ``TRIES`` draws, ``resample`` does so too.
    """
    probability = probability.detach()
    pairs = _draw(probability, target, size, generator)
    for _ in range(TRIES if neither == "resample" else 0):
        again = torch.nonzero(~(pairs.in_first | pairs.in_second))[:, 0]
        if not len(again):
            break
        new = _draw(probability[again], target[again], size, generator)
        for name in ("first", "second", "in_first", "in_second"):
            getattr(pairs, name)[again] = getattr(new, name)
    return insert_target(pairs, target)


def _draw(probability: Tensor, target: Tensor, size: int, generator: torch.Generator) -> Pairs:
    size = min(size, probability.shape[1])
    # the smallest of exponential variates with these rates: as multinomial, also where a
    # probability underflows to 0
    rates = probability.clamp(min=torch.finfo(probability.dtype).tiny)
    drawn = []
    for _ in range(2):
        arrival = torch.empty_like(rates).exponential_(generator=generator) / rates
        drawn.append(arrival.topk(size, dim=1, largest=False).indices)
    first, second = drawn
    return Pairs(
        first,
        second,
        (first == target[:, None]).any(dim=1),
        (second == target[:, None]).any(dim=1),
        torch.zeros_like(target, dtype=torch.bool),
    )


def insert_target(pairs: Pairs, target: Tensor) -> Pairs:
    """Where neither set holds the target, it takes the place of the first set's first item."""
    neither = ~(pairs.in_first | pairs.in_second)
    first = pairs.first.clone()
    first[:, 0] = torch.where(neither, target, first[:, 0])
    return replace(pairs, first=first, in_first=pairs.in_first | neither, inserted=neither)


def prefer(pairs: Pairs, first_is_better: Tensor) -> tuple[Tensor, Tensor]:
    """The preferred and the other set of each pair, int64[n, k] each.

    Args:
        pairs: n of them.
        first_is_better: bool[n], what the ranker says; it counts where both hold the target.
    """
    takes_first = torch.where(pairs.judged, first_is_better, pairs.in_first)[:, None]
    won = torch.where(takes_first, pairs.first, pairs.second)
    lost = torch.where(takes_first, pairs.second, pairs.first)
    return won, lost
