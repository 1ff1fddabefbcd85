"""Hyper-parameters. The defaults are the ``paper`` presets; README.md says where they come from."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any, Literal

RESERVED = frozenset(
    {"epochs", "train_batch_size", "learning_rate", "weight_decay", "stopping_step", "eval_step"}
    | {"device", "gpu_id", "use_gpu", "seed", "reproducibility", "model", "dataset"}
    | {"MAX_ITEM_LIST_LENGTH", "train_neg_sample_args", "enable_amp", "learner", "clip_grad_norm"}
)


@dataclass(frozen=True)
class Training:
    """How long and how fast to train.

    Attributes:
        epochs: most passes over the training events.
        batch_size: training targets (events) in a step; for ``bert4rec`` rows.
        learning_rate: of Adam.
        weight_decay: of Adam (an L2 term, as in RecBole).
        patience: validations without gain before training stops.
        validate_every: epochs between two validations.
    """

    epochs: int = 200
    batch_size: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    patience: int = 10
    validate_every: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if "dropout" in field.name or "ratio" in field.name:
                good, wanted = 0 <= value < 1, "at least 0 and below 1"
            elif field.name == "weight_decay":
                good, wanted = value >= 0, "at least 0"
            else:
                good, wanted = isinstance(value, str) or value > 0, "above 0"
            if not good:
                raise ValueError(f"{field.name} is {value!r}; it must be {wanted}")


@dataclass(frozen=True)
class PopConfig:
    """Nothing to choose."""


@dataclass(frozen=True)
class ItemKNNConfig:
    """Cosine neighbours.

    Attributes:
        neighbours: kept for each item; 0 keeps all (RecBole's own default is 100).
        shrink: added to the cosine's denominator.
        exact_ties: cosines and their sums without rounding, so that items that are equally near are
            level. RecBole's own, the default, has a denominator that is 1e-6 larger, which puts
            equal cosines in an order: 2 users of 2 come before 1 of 1.
    """

    neighbours: int = 0
    shrink: float = 0.0
    exact_ties: bool = False

    def __post_init__(self) -> None:
        for name in ("neighbours", "shrink"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be at least 0")


@dataclass(frozen=True)
class BPRConfig(Training):
    """Matrix factorisation; ``dim`` factors."""

    epochs: int = 300
    batch_size: int = 2048
    validate_every: int = 5
    dim: int = 64


@dataclass(frozen=True)
class NextItem(Training):
    """What SASRec and GRU4Rec share.

    Attributes:
        max_history: events that the model sees.
        train: ``positions`` trains all positions of a sequence in one pass; ``prefixes`` makes each
            prefix a row, as RecBole does: the same objective, many times the cost.
        stride: with ``positions``, how far the window moves on in sequences longer than
            ``max_history``. 1 trains every target on its full window, exactly as ``prefixes`` do;
            more is faster and shows some targets as little as ``max_history - stride`` events.
    """

    max_history: int = 50
    train: Literal["positions", "prefixes"] = "positions"
    stride: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.train not in ("positions", "prefixes"):
            raise ValueError(f"train is {self.train!r}; it must be 'positions' or 'prefixes'")
        check_stride(self.stride, self.max_history)


@dataclass(frozen=True)
class GRU4RecConfig(NextItem):
    """``dim``: of the item vectors; ``hidden``: of the recurrent state."""

    dim: int = 64
    hidden: int = 128
    layers: int = 1
    dropout: float = 0.3


@dataclass(frozen=True)
class SASRecConfig(NextItem):
    """``inner``: width of the feed-forward layers."""

    dim: int = 64
    inner: int = 256
    layers: int = 2
    heads: int = 2
    dropout: float = 0.5
    attention_dropout: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self.dim, self.heads)


@dataclass(frozen=True)
class BERT4RecConfig(Training):
    """Masked item modelling.

    Attributes:
        max_history: events that the model sees.
        stride: how many events later a user's next row ends. 1 is RecBole's rows: each event but
            the first is the last of one. A larger one is faster, for long sequences.
        mask_ratio: share of a row's events that are masked.
        last_ratio: share of the batches that mask the last event alone, as at test time.
    """

    batch_size: int = 256
    max_history: int = 50
    stride: int = 1
    dim: int = 64
    inner: int = 256
    layers: int = 2
    heads: int = 2
    dropout: float = 0.2
    attention_dropout: float = 0.2
    mask_ratio: float = 0.2
    last_ratio: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self.dim, self.heads)
        check_stride(self.stride, self.max_history)
        if int(self.mask_ratio * (self.max_history + 1)) < 1:
            raise ValueError(
                f"mask_ratio {self.mask_ratio} of max_history {self.max_history} is less than one "
                "event; raise one of them"
            )


@dataclass(frozen=True)
class FamilyConfig(Training):
    """Any other RecBole model that trains from interactions alone.

    Attributes:
        model: RecBole's class name.
        settings: a JSON object with RecBole's own settings of the model, such as
            ``{"n_layers": 3}``; kept in one spelling.
        max_history: events that a sequential model sees.
    """

    model: str = "LightGCN"
    settings: str = "{}"
    epochs: int = 300
    batch_size: int = 2048
    max_history: int = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "settings", json.dumps(self.parsed(), sort_keys=True))

    def parsed(self) -> dict[str, Any]:
        """``settings`` as a dict. Raises ValueError where it is not an object of free settings."""
        try:
            settings = json.loads(self.settings)
        except json.JSONDecodeError as error:
            raise ValueError(f"settings is not JSON: {error}; got {self.settings!r}") from error
        if not isinstance(settings, dict):
            raise ValueError(
                f'settings must be a JSON object such as {{"n_layers": 3}}: {settings}'
            )
        taken = sorted(RESERVED & settings.keys())
        if taken:
            raise ValueError(
                f"settings cannot hold {', '.join(taken)}: mmbench decides these, see the "
                "fields of this config (epochs, batch_size, learning_rate, max_history, ...)"
            )
        return settings


def check_heads(dim: int, heads: int) -> None:
    """Raise ValueError unless ``heads`` divides ``dim``."""
    if dim % heads:
        raise ValueError(f"dim is {dim} and heads is {heads}; heads must divide dim")


def check_stride(stride: int, max_history: int) -> None:
    """Raise ValueError where a ``stride`` would leave events out of all rows."""
    if stride > max_history:
        raise ValueError(f"stride is {stride}; it must be at most max_history ({max_history})")
