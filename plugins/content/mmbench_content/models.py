"""The plugin's models. Importing this module loads neither torch nor scikit-learn; fitting does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmbench import EmbeddingModel, Interactions, Items, Products, Queries, Run, hookimpl
from mmbench.toolkit import weights
from mmbench.toolkit.training import seeded
from mmbench_content.configs import (
    COLOURS,
    SMALL_IMAGE,
    SMALL_TEXT,
    TFIDF,
    TINY,
    TINY_BERT,
    TINY_LITE0,
    BM25Config,
    ColourHistogramConfig,
    HybridConfig,
    HybridMarkovConfig,
    ImageEncoderConfig,
    MarkovConfig,
    TextEncoderConfig,
    TfidfConfig,
    VBPRConfig,
)

if TYPE_CHECKING:
    from mmbench_content.bm25 import Index
    from mmbench_content.fusion import Part, Weights
    from mmbench_content.transitions import Chain
    from mmbench_content.vbpr import Network

Float32 = NDArray[np.float32]

TINY_SIDE = 64  # pixels
ENCODERS: Mapping[str, Mapping[str, Any]] = {  # of the hybrids' presets
    "small": {"text_encoder": SMALL_TEXT, "image_encoder": SMALL_IMAGE},
    "tiny": {"text_encoder": TINY_BERT, "image_encoder": TINY_LITE0, "image_size": TINY_SIDE},
    "counts": {"text_encoder": TFIDF, "image_encoder": COLOURS},
}
NO_ORDER = "it looks for what is like the history, above all the history itself; it knows no order"


def sources(*encoders: str) -> tuple[str, ...]:
    """Those of the encoders that are pretrained weights."""
    counted = (TFIDF, COLOURS)
    return tuple(one for one in encoders if one not in counted and not one.startswith(TINY))


def fetch(encoders: Iterable[str], cache: Path) -> None:
    """Bring pretrained weights into the model cache."""
    for encoder in encoders:
        weights.fetch(encoder, cache)


class Markov:
    """What followed the last item in training, backed off to popularity."""

    Config = MarkovConfig
    presets: ClassVar = {"paper": MarkovConfig()}
    needs: frozenset[str] = frozenset()
    draws = False
    chain: Chain

    def __init__(self, config: MarkovConfig) -> None:
        self.config = config

    @hookimpl
    def fit(self, train: Interactions) -> None:
        from mmbench_content.transitions import learn

        self.chain = learn(train, self.config)

    @hookimpl
    def keep(self) -> Mapping[str, Any]:
        from mmbench.toolkit.keeping import pack_sparse

        chain = self.chain
        told = {"backoff": chain.backoff, "popularity": chain.popularity}
        return {**told, **pack_sparse("follows", chain.follows)}

    @hookimpl
    def restore(self, arrays: Mapping[str, Any]) -> None:
        from scipy.sparse import csr_array

        from mmbench.toolkit.keeping import unpack_sparse
        from mmbench_content.transitions import Chain

        follows = unpack_sparse("follows", arrays, csr_array)
        self.chain = Chain(follows, arrays["backoff"], arrays["popularity"])

    @hookimpl
    def score(self, queries: Queries) -> Float32:
        return self.chain.rate(queries.history, self.config)


class BM25Text:
    """The history's text as a BM25 query against the items' texts."""

    Config = BM25Config
    presets: ClassVar = {"paper": BM25Config()}
    needs = frozenset({"text"})
    draws = False
    index: Index
    known_failures: ClassVar = {"learns_which_item_follows_which": NO_ORDER}

    def __init__(self, config: BM25Config) -> None:
        self.config = config

    @hookimpl
    def fit(self, items: Items) -> None:
        self.transfer(items)

    @hookimpl
    def transfer(self, items: Items) -> None:
        from mmbench_content.bm25 import Index
        from mmbench_content.texts import item_texts

        self.index = Index(item_texts(items, self.config.fields), self.config)

    @hookimpl
    def keep(self) -> Mapping[str, Any]:
        """Nothing: the index is made of the items' texts."""
        return {}

    @hookimpl
    def restore(self, items: Items) -> None:
        self.transfer(items)

    @hookimpl
    def score(self, queries: Queries) -> Float32:
        return self.index.rate(queries.history)


class _Vectors:
    """Cosines of the history's mean vector and the items' vectors."""

    modality: str
    draws = False
    run: Run
    vectors: Float32
    products: Products
    known_failures: ClassVar = {"learns_which_item_follows_which": NO_ORDER}

    def __init__(self, config: Any) -> None:
        self.config = config

    def encode(self, items: Items, run: Run) -> Float32:
        """float32[n_items + 1, d]: unit rows, zeros for an item without content."""
        raise NotImplementedError

    @hookimpl
    def fit(self, items: Items, run: Run) -> None:
        self.run = run
        self.transfer(items)

    @hookimpl
    def transfer(self, items: Items) -> None:
        self.vectors = self.encode(items, self.run)
        self.products = Products(self.vectors[1:])

    @hookimpl
    def keep(self) -> Mapping[str, Any]:
        return {"vectors": self.vectors}

    @hookimpl
    def restore(self, arrays: Mapping[str, Any], run: Run) -> None:
        self.run, self.vectors = run, arrays["vectors"]
        self.products = Products(self.vectors[1:])

    @hookimpl
    def score(self, queries: Queries) -> Float32:
        from mmbench_content.profiles import rate

        return rate(self.profiles(queries), self.products)

    @hookimpl
    def embed_items(self) -> Mapping[str, Float32]:
        return {"fused": self.vectors, self.modality: self.vectors}

    @hookimpl
    def embed_queries(self, queries: Queries) -> Mapping[str, Float32]:
        found = self.profiles(queries)
        return {"fused": found, self.modality: found}

    def profiles(self, queries: Queries) -> Float32:
        """float32[b, d]: unit means of the histories."""
        return history_profiles(queries, self.vectors, self.config)


class Tfidf(_Vectors):
    """Counted words: cosines of mean titles and titles."""

    Config = TfidfConfig
    presets: ClassVar = {"paper": TfidfConfig()}
    needs = frozenset({"text"})
    modality = "text"

    def encode(self, items: Items, run: Run) -> Float32:
        from mmbench_content.encode import encode_texts

        c = self.config
        return encode_texts(items, run, encoder=TFIDF, fields=c.fields, dim=c.dim)


class ColourHistogram(_Vectors):
    """Counted colours: cosines of mean pictures and pictures."""

    Config = ColourHistogramConfig
    presets: ClassVar = {"paper": ColourHistogramConfig()}
    needs = frozenset({"image"})
    modality = "image"

    def encode(self, items: Items, run: Run) -> Float32:
        from mmbench_content.encode import encode_pictures

        return encode_pictures(items, run, encoder=COLOURS, batch_size=self.config.batch_size)


class _Encoder(_Vectors):
    """The vectors are a frozen network's."""

    stand_ins = ("tiny",)

    @staticmethod
    def pretrained(config: Any) -> tuple[str, ...]:
        """The encoder, where it is one with weights."""
        return sources(config.encoder)

    @hookimpl
    def fetch(self, cache: Path) -> None:
        fetch(self.pretrained(self.config), cache)


class TextEncoder(_Encoder):
    """A frozen text encoder: cosines of mean titles and titles."""

    Config = TextEncoderConfig
    presets: ClassVar = {
        "paper": TextEncoderConfig(),
        "small": TextEncoderConfig(encoder=SMALL_TEXT),
        "tiny": TextEncoderConfig(encoder=TINY_BERT),
    }
    needs = frozenset({"text"})
    modality = "text"

    def encode(self, items: Items, run: Run) -> Float32:
        from mmbench_content.encode import encode_texts

        c = self.config
        return encode_texts(
            items,
            run,
            encoder=c.encoder,
            fields=c.fields,
            max_length=c.max_length,
            batch_size=c.batch_size,
        )


class ImageEncoder(_Encoder):
    """A frozen image encoder: cosines of mean pictures and pictures."""

    Config = ImageEncoderConfig
    presets: ClassVar = {
        "paper": ImageEncoderConfig(),
        "small": ImageEncoderConfig(encoder=SMALL_IMAGE),
        "tiny": ImageEncoderConfig(encoder=TINY_LITE0, image_size=TINY_SIDE),
    }
    needs = frozenset({"image"})
    modality = "image"

    def encode(self, items: Items, run: Run) -> Float32:
        from mmbench_content.encode import encode_pictures

        c = self.config
        return encode_pictures(
            items, run, encoder=c.encoder, batch_size=c.batch_size, image_size=c.image_size
        )


class _Hybrid:
    """Text, image and a third part on one scale, their weights chosen on the validation fold."""

    needs = frozenset({"text", "image"})
    draws = False
    text: Float32
    image: Float32
    parts: tuple[Part, ...]
    shares: Weights

    def __init__(self, config: Any) -> None:
        self.config = config

    def learn_third_part(self, train: Interactions) -> None:
        """What there is beside the content."""
        raise NotImplementedError

    @staticmethod
    def pretrained(config: Any) -> tuple[str, ...]:
        """The encoders, where they are ones with weights."""
        return sources(config.text_encoder, config.image_encoder)

    @hookimpl
    def fetch(self, cache: Path) -> None:
        fetch(self.pretrained(self.config), cache)

    @hookimpl
    def fit(self, train: Interactions, items: Items, run: Run) -> None:
        from mmbench_content.encode import encode_pictures, encode_texts
        from mmbench_content.fusion import choose, grid, make_part

        c = self.config
        self.text = encode_texts(
            items,
            run,
            encoder=c.text_encoder,
            fields=c.fields,
            max_length=c.max_length,
            dim=c.dim,
            batch_size=c.batch_size,
        )
        self.image = encode_pictures(
            items, run, encoder=c.image_encoder, batch_size=c.batch_size, image_size=c.image_size
        )
        self.parts = tuple(
            make_part(vectors, np.asarray(vectors.any(axis=1)))
            for vectors in (self.text, self.image)
        )
        self.learn_third_part(train)
        tried = list(grid(c.image_shares, c.other_shares))
        names = ("text weight", "image weight", "other weight")

        def validate(shares: Weights) -> float:
            self.shares = shares
            value = run.validate(limit=c.validate_queries)
            step = tried.index(shares) + 1
            run.log(step, **dict(zip(names, shares, strict=True)), **{"valid ndcg@10": value})
            run.progress(step, len(tried), "weights")
            return value

        self.shares = choose(tried, validate)

    @hookimpl
    def keep(self) -> Mapping[str, Any]:
        kept: dict[str, Any] = {"shares": np.array(self.shares)}
        for number, part in enumerate(self.parts):
            for name in ("vectors", "mean", "covariance"):
                kept[f"{number}.{name}"] = getattr(part, name)
        return kept

    @hookimpl
    def restore(self, arrays: Mapping[str, Any]) -> None:
        from mmbench_content.fusion import Part

        count = sum(name.endswith(".vectors") for name in arrays)
        named = (
            [arrays[f"{k}.{part}"] for part in ("vectors", "mean", "covariance")]
            for k in range(count)
        )
        self.parts = tuple(Part(*fields) for fields in named)
        self.text, self.image = (
            np.ascontiguousarray(part.vectors[:, :-1]) for part in self.parts[:2]
        )
        self.shares = tuple(arrays["shares"].tolist())

    def ask_content(self, queries: Queries) -> Float32:
        """float32[b, d]: queries to text and image, next to each other."""
        asked = [
            part.ask(history_profiles(queries, vectors, self.config), weight)
            for part, vectors, weight in zip(
                self.parts, (self.text, self.image), self.shares, strict=False
            )
        ]
        return np.concatenate(asked, axis=1)


class Hybrid(_Hybrid, EmbeddingModel):
    """Text, image and popularity: one inner product."""

    Config = HybridConfig
    presets: ClassVar = {
        "paper": HybridConfig(),
        **{name: HybridConfig(**changes) for name, changes in ENCODERS.items()},
    }
    stand_ins = ("tiny",)
    known_failures: ClassVar = {"learns_which_item_follows_which": NO_ORDER}

    def learn_third_part(self, train: Interactions) -> None:
        from mmbench_content.fusion import make_part

        counts = np.bincount(train.item, minlength=train.n_items + 1)[:, None]
        known = np.arange(train.n_items + 1).astype(bool)
        self.parts += (make_part(np.log1p(counts).astype(np.float32), known),)

    def ask(self, queries: Queries) -> Float32:
        """float32[b, d]: queries to all parts."""
        third = self.parts[2].ask(np.ones((len(queries), 1), np.float32), self.shares[2])
        return np.concatenate([self.ask_content(queries), third], axis=1)

    def fused(self) -> Float32:
        """float32[n_items + 1, d]: all parts of the items, next to each other."""
        return np.concatenate([part.vectors for part in self.parts], axis=1)

    @hookimpl
    def embed_items(self) -> Mapping[str, Float32]:
        return {"fused": self.fused(), "text": self.text, "image": self.image}

    @hookimpl
    def embed_queries(self, queries: Queries) -> Mapping[str, Float32]:
        return {
            "fused": self.ask(queries),
            "text": history_profiles(queries, self.text, self.config),
            "image": history_profiles(queries, self.image, self.config),
        }


class HybridMarkov(_Hybrid):
    """Text, image and transitions; the last are no inner product, so nothing is embedded."""

    Config = HybridMarkovConfig
    presets: ClassVar = {
        "paper": HybridMarkovConfig(),
        **{name: HybridMarkovConfig(**changes) for name, changes in ENCODERS.items()},
    }
    stand_ins = ("tiny",)
    chain: Chain
    content: Products

    def learn_third_part(self, train: Interactions) -> None:
        from mmbench_content.transitions import learn

        self.first_order = MarkovConfig(discount=self.config.discount)
        self.chain = learn(train, self.first_order)
        self.content = Products(np.concatenate([part.vectors for part in self.parts], axis=1)[1:])

    @hookimpl
    def keep(self) -> Mapping[str, Any]:
        from mmbench.toolkit.keeping import pack_sparse

        chain = self.chain
        told = {"backoff": chain.backoff, "popularity": chain.popularity}
        return {**super().keep(), **told, **pack_sparse("follows", chain.follows)}

    @hookimpl
    def restore(self, arrays: Mapping[str, Any]) -> None:
        from scipy.sparse import csr_array

        from mmbench.toolkit.keeping import unpack_sparse
        from mmbench_content.transitions import Chain

        super().restore(arrays)
        follows = unpack_sparse("follows", arrays, csr_array)
        self.first_order = MarkovConfig(discount=self.config.discount)
        self.chain = Chain(follows, arrays["backoff"], arrays["popularity"])
        self.content = Products(np.concatenate([part.vectors for part in self.parts], axis=1)[1:])

    @hookimpl
    def score(self, queries: Queries) -> Float32:
        """The weighted sum."""
        from mmbench_content.fusion import standardise

        scores = self.content.rate(self.ask_content(queries))
        likely = np.log(self.chain.rate(queries.history, self.first_order))
        return scores + np.float32(self.shares[2]) * standardise(likely)


class VBPR(EmbeddingModel):
    """Matrix factorisation with visual features; knows the user, not the history."""

    Config = VBPRConfig
    presets: ClassVar = {
        "paper": VBPRConfig(),
        "small": VBPRConfig(encoder=SMALL_IMAGE),
        "tiny": VBPRConfig(encoder=TINY_LITE0, image_size=TINY_SIDE),
        "counts": VBPRConfig(encoder=COLOURS),
    }
    stand_ins = ("tiny",)
    needs = frozenset({"image"})
    known_failures: ClassVar = {"learns_which_item_follows_which": "it knows users, not order"}
    loss = "BPR, one negative"
    network: Network

    def __init__(self, config: VBPRConfig) -> None:
        self.config = config

    @staticmethod
    def pretrained(config: Any) -> tuple[str, ...]:
        """The encoder, where it is one with weights."""
        return sources(config.encoder)

    @hookimpl
    def fetch(self, cache: Path) -> None:
        fetch(self.pretrained(self.config), cache)

    @hookimpl
    def fit(self, train: Interactions, items: Items, run: Run) -> None:
        from mmbench_content import vbpr
        from mmbench_content.encode import encode_pictures

        c = self.config
        features = encode_pictures(
            items,
            run,
            encoder=c.encoder,
            batch_size=c.encoder_batch_size,
            image_size=c.image_size,
        )
        self.active = np.unique(train.user)
        with seeded(run):
            centred = vbpr.centre(features[1:])
            self.network = vbpr.Network(train.n_users, centred, c).to(run.device)
            vbpr.train(self.network, train, c, run)

    @hookimpl
    def keep(self) -> Mapping[str, Any]:
        from mmbench.toolkit.keeping import pack_module

        return pack_module(self.network)

    @hookimpl
    def restore(self, arrays: Mapping[str, Any], train: Interactions, run: Run) -> None:
        from mmbench.toolkit.keeping import unpack_module
        from mmbench_content.vbpr import Network

        self.active = np.unique(train.user)
        with seeded(run):
            self.network = Network(train.n_users, arrays["features"], self.config)
        unpack_module(self.network, arrays)
        self.network.to(run.device)

    @hookimpl
    def embed_items(self) -> Mapping[str, Float32]:
        return {"fused": np.pad(self.network.factors()[1], ((1, 0), (0, 0)))}

    @hookimpl
    def embed_queries(self, queries: Queries) -> Mapping[str, Float32]:
        return {"fused": self.look_up(self.network.factors()[0], queries)}

    def look_up(self, users: Float32, queries: Queries) -> Float32:
        """float32[b, e]: the queries' users; one without a training event is the mean user."""
        known = np.isin(queries.user, self.active)
        mean = users[self.active].mean(axis=0)
        return np.where(known[:, None], users[queries.user], mean).astype(np.float32)


def history_profiles(queries: Queries, vectors: Float32, config: Any) -> Float32:
    """float32[b, d]: unit means of the histories' vectors, as ``config`` weighs events."""
    from mmbench_content.profiles import profiles, weigh

    n_items = len(vectors) - 1
    return profiles(weigh(queries.history, n_items, config.max_history, config.decay), vectors)
