"""Hyper-parameters. The defaults are the ``paper`` presets; README.md says where they come from."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from mmbench_sequential.upstream import Transform

Precision = Literal["auto", "float32", "bfloat16"]
CHOICES = {"precision": get_args(Precision), "init_transform": get_args(Transform)}


@dataclass(frozen=True)
class Training:
    """What all models share: the training loop, its loss and the history they see.

    Attributes:
        max_history: events that the model sees.
        epochs: most passes over the training events.
        batch_size: sequences in a step, on average: a step trains as many positions as this many
            average sequences have (for ``fmlprec``, whose rows are prefixes, exactly as many rows).
        learning_rate: of AdamW.
        weight_decay: of AdamW (decoupled), on matrices only: not on biases nor on LayerNorms.
        epsilon: of AdamW.
        clip: the largest norm of a step's gradient.
        patience: validations without gain before training stops.
        validate_every: epochs between two validations.
        precision: of matrix products in training: ``auto`` is ``bfloat16`` on a GPU and where the
            processor multiplies such numbers, and ``float32`` elsewhere. Weights, sums, softmax and
            the scores that the model returns are float32 in any case.
        sampled_above: in catalogues with more items, the softmax runs over the target and a sample
            of negatives instead of over all items.
        negatives: size of that sample, drawn for each step and shared by its targets.
        init: another model, as ``--models`` names it. Item vectors are then its ``fused`` item
            embeddings through a linear adapter; empty for vectors of the model's own.
        init_frozen: whether those embeddings stay as they came, so that only the adapter learns.
        init_transform: what is done to them first, see ``upstream.transform``.
        init_components: of ``pca`` and ``zca``, so many are kept; 0 keeps all.
        init_scaled: the adapter's first weights give items the spread that the model's own vectors
            start with; else they are Xavier-normal (LLM2Rec's evaluation, VLM2Rec's Task 2).
        init_residual: each item has a free vector beside, which starts at 0 and learns what the
            other model does not tell.
    """

    max_history: int = 50
    epochs: int = 200
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    epsilon: float = 1e-8
    clip: float = 5.0
    patience: int = 10
    validate_every: int = 1
    precision: Precision = "auto"
    sampled_above: int = 200_000
    negatives: int = 4096
    init: str = ""
    init_frozen: bool = True
    init_transform: Transform = "pca"
    init_components: int = 0
    init_scaled: bool = True
    init_residual: bool = True

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("init", "init_frozen", "init_scaled", "init_residual"):
                continue
            if field.name in CHOICES:
                known = CHOICES[field.name]
                good, wanted = value in known, "one of " + ", ".join(known)
            elif "dropout" in field.name:
                good, wanted = 0 <= value < 1, "at least 0 and below 1"
            elif field.name in ("weight_decay", "sampled_above", "init_components"):
                good, wanted = value >= 0, "at least 0"
            else:
                good, wanted = value > 0, "above 0"
            if not good:
                raise ValueError(f"{field.name} is {value!r}; it must be {wanted}")


@dataclass(frozen=True)
class SASRecConfig(Training):
    """``dropout`` is that of embeddings, attention weights and both halves of a block.

    Attributes:
        inner: width of the feed-forward layers.
    """

    dim: int = 64
    inner: int = 256
    layers: int = 2
    heads: int = 2
    dropout: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dim % self.heads:
            raise ValueError(f"dim is {self.dim} and heads is {self.heads}; heads must divide dim")


@dataclass(frozen=True)
class GRU4RecConfig(Training):
    """``dim``: of the item vectors; ``hidden``: of the recurrent state."""

    dim: int = 64
    hidden: int = 128
    layers: int = 1
    dropout: float = 0.3


@dataclass(frozen=True)
class LRURecConfig(Training):
    """The recurrent state has ``2 * dim`` complex numbers, the feed-forward layers ``4 * dim``."""

    epochs: int = 500
    weight_decay: float = 0.01
    epsilon: float = 1e-9
    dim: int = 64
    layers: int = 2
    dropout: float = 0.5


@dataclass(frozen=True)
class FMLPRecConfig(Training):
    """``inner``: width of the feed-forward layers."""

    batch_size: int = 256
    patience: int = 5
    dim: int = 64
    inner: int = 256
    layers: int = 2
    dropout: float = 0.5


# VLM2Rec's Task 2, as far as it and LLM2Rec's code, which it cites, state it
TASK2: dict[str, Any] = {
    "max_history": 10,
    "epochs": 1000,
    "batch_size": 256,
    "weight_decay": 1e-4,
    "patience": 20,
    "validate_every": 5,
    "init_transform": "raw",
    "init_scaled": False,
    "init_residual": False,
    "dim": 128,
}
TASK2_SASREC = SASRecConfig(**TASK2, dropout=0.3)
TASK2_GRU4REC = GRU4RecConfig(**TASK2, layers=2, learning_rate=1e-4)
