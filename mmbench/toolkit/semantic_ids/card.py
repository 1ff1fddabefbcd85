"""The figures by which semantic ids are judged, as one value."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TITLE = "semantic ids"


@dataclass(frozen=True, slots=True)
class Card:
    """What ids are made of and how good they are; see ``diagnostics`` for how figures are defined.

    Attributes:
        method: as in the config.
        items: of the catalogue.
        without_vector: items whose vector is all zeros, as they have no text or picture. They count
            in all figures but ``aliasing`` and ``neighbours_kept``.
        equal: items whose vector is as an earlier item's; without another code they share its id.
        asked: codes of each level by the config.
        sizes: codes of each level; fewer than asked where the catalogue is too small for so many.
        used: how many of them are some item's nearest.
        perplexity: of the use of each level's codes, before ids are made unique, as all until
            ``moved_by_sinkhorn`` are.
        reconstruction_error: mean squared error of what the codes stand for, over the vectors'
            variance; None where all vectors are equal.
        collisions: 1 - ids / items.
        largest_group: the most items of one id.
        aliasing: of the pairs of items that agree in the first code, the first two, and so on, the
            share whose vectors do not agree; None where no pair agrees.
        aliasing_cosine: vectors agree from this cosine on; None with fewer than two vectors.
        moved_by_sinkhorn: items that got another code by Sinkhorn's assignment, to be unique.
        moved_to_nearest: items that went to the nearest free code of the last level.
        moved_from_prefix: items that had to leave the codes before it.
        reconstruction_error_unique: ``reconstruction_error`` with the ids as they are.
        neighbours_kept: the share of the ten nearest vectors that are among the ten nearest ids.
        neighbours_by_chance: what ids by chance would keep; both None for ten items or fewer.
        epoch: of the training, whose state was kept; 0 without a training.
        restarts: how often a code of each level started anew.
    """

    method: str
    items: int
    without_vector: int
    equal: int
    asked: tuple[int, ...]
    sizes: tuple[int, ...]
    used: tuple[int, ...]
    perplexity: tuple[float, ...]
    reconstruction_error: float | None
    collisions: float
    largest_group: int
    aliasing: tuple[float | None, ...]
    aliasing_cosine: float | None
    moved_by_sinkhorn: int
    moved_to_nearest: int
    moved_from_prefix: int
    reconstruction_error_unique: float | None
    neighbours_kept: float | None
    neighbours_by_chance: float | None
    epoch: int
    restarts: tuple[int, ...]

    @property
    def limited(self) -> bool:
        """Whether the catalogue is too small for the code-books that the config asks for."""
        return self.sizes != self.asked

    @property
    def moved(self) -> float:
        """The share of items whose id is not that of their nearest codes."""
        count = self.moved_by_sinkhorn + self.moved_to_nearest + self.moved_from_prefix
        return count / self.items

    def to_dict(self) -> dict[str, Any]:
        """The card as JSON-able data, with ``limited`` and ``moved``."""
        plain = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }
        return {**plain, "limited": self.limited, "moved": self.moved}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Card:
        """The card that ``to_dict`` told of. Raises TypeError or KeyError for anything else."""
        values: dict[str, Any] = {f.name: data[f.name] for f in dataclasses.fields(cls)}
        for name, value in values.items():
            values[name] = tuple(value) if isinstance(value, list) else value
        return cls(**values)

    def figures(self) -> dict[str, float]:
        """What belongs on a row, by the names that ``run.log(0, **card.figures())`` takes.

        Curves of one point whose names begin with a title and a colon are shown as a card by
        ``mmbench show``, and as a footnote by boards.
        """
        found: dict[str, float | None] = {
            "items": self.items,
            "without a vector": self.without_vector,
        }
        for level, size in enumerate(self.sizes, start=1):
            found |= {
                f"codes {level}": size,
                f"used {level}": self.used[level - 1],
                f"perplexity {level}": self.perplexity[level - 1],
                f"aliasing {level}": self.aliasing[level - 1],
            }
        found |= {
            "limited by the catalogue": float(self.limited),
            "reconstruction error": self.reconstruction_error,
            "collisions": self.collisions,
            "moved": self.moved,
            "neighbours kept": self.neighbours_kept,
        }
        return {f"{TITLE}: {name}": float(v) for name, v in found.items() if v is not None}
