"""How semantic ids are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FEWEST = 2  # codes a level, however small the catalogue


@dataclass(frozen=True)
class SemanticIdConfig:
    """The method, the code-books, the training, and what makes ids unique.

    Attributes:
        method: ``rqvae`` quantises what a trained autoencoder makes of the vectors, ``rkmeans`` the
            vectors themselves (residual k-means, nothing is trained).
        sizes: codes of each level, at most; the first level is the coarsest.
        items_per_code: a level has at most a code for so many items, but two in any case.
        unique: what items of one id do: ``sinkhorn`` is LC-Rec's way, ``nearest`` moves all but one
            to the nearest free code of the last level, ``none`` lets them share it.
        sinkhorn_epsilon: how soft the assignment is, beside distances scaled to -1..1.
        sinkhorn_rounds: at most so often is each group of items that share an id assigned anew.
        kmeans_rounds: of Lloyd's algorithm, at most.
        kmeans_starts: so often is k-means begun anew; the centres nearest to the vectors count.
            With few codes several starts bring better ids, and ids that differ less by the seed.
        widths: of the encoder's hidden layers; the decoder has them in reverse.
        dim: width of what is quantised.
        epochs: of the training.
        batch_size: vectors in a step, 0 for all of them.
        learning_rate: of AdamW.
        weight_decay: of AdamW, on the networks alone.
        commitment: weight of the encoder's distance to its codes beside the codes' to it.
        clip: the gradient's norm, at most.
        validate_every: epochs between two looks at the ids; the last epoch is looked at too.
        restart_after: a code that no vector took for so many epochs starts anew; 0 for never.
    """

    method: Literal["rqvae", "rkmeans"] = "rqvae"
    sizes: tuple[int, ...] = (1024, 1024, 1024)
    items_per_code: int = 4
    unique: Literal["sinkhorn", "nearest", "none"] = "nearest"
    sinkhorn_epsilon: float = 0.003
    sinkhorn_rounds: int = 20
    kmeans_rounds: int = 50
    kmeans_starts: int = 1
    widths: tuple[int, ...] = (256, 128, 64)
    dim: int = 12
    epochs: int = 200
    batch_size: int = 2048
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    commitment: float = 0.25
    clip: float = 1.0
    validate_every: int = 10
    restart_after: int = 1

    def __post_init__(self) -> None:
        _demand(self.method in ("rqvae", "rkmeans"), f"there is no method {self.method!r}")
        ways = ("sinkhorn", "nearest", "none")
        _demand(self.unique in ways, f"unique is {self.unique!r}; it must be one of {ways}")
        _demand(len(self.sizes) > 0, "sizes is empty; an id needs a level")
        for name in ("sizes", "widths"):
            values = getattr(self, name)
            _demand(all(value > 0 for value in values), f"{name} is {values}; all must be above 0")
        for name in (
            *("items_per_code", "sinkhorn_epsilon", "kmeans_rounds", "kmeans_starts"),
            *("dim", "epochs", "learning_rate", "clip", "validate_every"),
        ):
            value = getattr(self, name)
            _demand(value > 0, f"{name} is {value}; it must be above 0")
        for name in (
            "sinkhorn_rounds",
            "batch_size",
            "weight_decay",
            "commitment",
            "restart_after",
        ):
            value = getattr(self, name)
            _demand(value >= 0, f"{name} is {value}; it must be at least 0")

    def sizes_for(self, n_items: int) -> tuple[int, ...]:
        """The codes of each level for a catalogue of so many items."""
        most = max(FEWEST, n_items // self.items_per_code)
        return tuple(min(size, most) for size in self.sizes)


def _demand(fine: bool, message: str) -> None:
    if not fine:
        raise ValueError(message)
