"""The plugin's models. Importing this module loads neither torch nor RecBole; fitting does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmbench import Interactions, Queries, Run, hookimpl
from mmbench_recbole import papers
from mmbench_recbole.configs import (
    BERT4RecConfig,
    BPRConfig,
    FamilyConfig,
    GRU4RecConfig,
    ItemKNNConfig,
    NextItem,
    PopConfig,
    SASRecConfig,
)

if TYPE_CHECKING:
    import scipy.sparse as sp

    from mmbench_recbole.general import General
    from mmbench_recbole.sequential import Sequential

Float32 = NDArray[np.float32]


class Pop:
    """The items in order of their number of training events (RecBole's ``Pop``)."""

    Config = PopConfig
    presets: ClassVar = {"paper": PopConfig()}
    needs: frozenset[str] = frozenset()
    draws = False
    known_failures: ClassVar = {"learns_which_item_follows_which": "popularity knows no order"}

    def __init__(self, config: PopConfig) -> None:
        self.config = config

    @hookimpl
    def fit(self, train: Interactions, run: Run) -> None:
        from mmbench_recbole.traditional import popularity

        self.popularity = popularity(train, run.device)

    @hookimpl
    def keep(self) -> dict[str, Any]:
        return {"popularity": self.popularity}

    @hookimpl
    def restore(self, arrays: dict[str, Any]) -> None:
        self.popularity = arrays["popularity"]

    @hookimpl
    def score(self, queries: Queries) -> Float32:
        return np.tile(self.popularity, (len(queries), 1))


class ItemKNN:
    """Summed cosine similarity to the query's items (the similarity is RecBole's).

    RecBole adds 1e-6 to every cosine's denominator, which splits exact ties; ``exact_ties`` does
    without.
    """

    Config = ItemKNNConfig
    presets: ClassVar = {"paper": ItemKNNConfig()}
    needs: frozenset[str] = frozenset()
    draws = False
    similarity: sp.csr_matrix

    def __init__(self, config: ItemKNNConfig) -> None:
        self.config = config

    @hookimpl
    def fit(self, train: Interactions) -> None:
        from mmbench_recbole.traditional import cosine_neighbours, exact_neighbours

        find = exact_neighbours if self.config.exact_ties else cosine_neighbours
        self.similarity = find(train, self.config.neighbours, self.config.shrink)

    @hookimpl
    def keep(self) -> dict[str, Any]:
        from mmbench.toolkit.keeping import pack_sparse

        return pack_sparse("similarity", self.similarity)

    @hookimpl
    def restore(self, arrays: dict[str, Any]) -> None:
        from scipy.sparse import csr_matrix

        from mmbench.toolkit.keeping import unpack_sparse

        self.similarity = unpack_sparse("similarity", arrays, csr_matrix)

    @hookimpl
    def score(self, queries: Queries) -> Float32:
        from mmbench_recbole.traditional import rate_by_similarity

        return rate_by_similarity(queries.history, self.similarity)


class _Trained:
    """A model whose scores come from a trained RecBole network."""

    needs: frozenset[str] = frozenset()
    network: General | Sequential

    def __init__(self, config: Any) -> None:
        self.config = config

    def build(self, train: Interactions, run: Run) -> General | Sequential:
        """The untrained network with its batches."""
        raise NotImplementedError

    @hookimpl
    def fit(self, train: Interactions, run: Run) -> None:
        from mmbench_recbole.training import train as train_network

        self.network = self.build(train, run)
        train_network(self.network, self.config, run)

    @hookimpl
    def keep(self) -> dict[str, Any]:
        from mmbench.toolkit.keeping import pack_module

        return pack_module(self.network.model)

    @hookimpl
    def restore(self, arrays: dict[str, Any], train: Interactions, run: Run) -> None:
        """What is no weight, such as a graph, is built anew with the same seed."""
        from mmbench.toolkit.keeping import unpack_module

        self.network = self.build(train, run)
        unpack_module(self.network.model, arrays)
        if self.network.trainable:
            self.network.ready()

    @hookimpl
    def score(self, queries: Queries) -> Float32:
        return self.network.score(queries)


class BPR(_Trained):
    """Matrix factorisation (RecBole's ``BPR``); knows the user, not the history."""

    Config = BPRConfig
    presets: ClassVar = {"paper": BPRConfig()}
    known_failures: ClassVar = {"learns_which_item_follows_which": "it knows users, not order"}
    loss = "BPR, one negative"

    def build(self, train: Interactions, run: Run) -> General:
        from mmbench_recbole.general import General

        c = self.config
        settings = {"embedding_size": c.dim}
        return General("BPR", settings, train, run, feed="pairs", batch_size=c.batch_size)


def _next_item(
    name: str, settings: dict[str, Any], config: NextItem, train: Interactions, run: Run
) -> Sequential:
    from mmbench_recbole.sequential import Sequential

    return Sequential(
        name,
        {"loss_type": "CE", **settings},
        train,
        run,
        max_history=config.max_history,
        batch_size=config.batch_size,
        mode=config.train,
        stride=config.stride,
        trim=True,
    )


class GRU4Rec(_Trained):
    """A recurrent network over the history (RecBole's ``GRU4Rec``)."""

    Config = GRU4RecConfig
    presets: ClassVar = {"paper": GRU4RecConfig()}
    loss = "full-softmax CE"

    def build(self, train: Interactions, run: Run) -> Sequential:
        c = self.config
        settings = {
            "embedding_size": c.dim,
            "hidden_size": c.hidden,
            "num_layers": c.layers,
            "dropout_prob": c.dropout,
        }
        return _next_item("GRU4Rec", settings, c, train, run)


def _transformer(config: SASRecConfig | BERT4RecConfig) -> dict[str, Any]:
    return {
        "hidden_size": config.dim,
        "inner_size": config.inner,
        "n_layers": config.layers,
        "n_heads": config.heads,
        "hidden_dropout_prob": config.dropout,
        "attn_dropout_prob": config.attention_dropout,
    }


class SASRec(_Trained):
    """Causal self-attention over the history (RecBole's ``SASRec``)."""

    Config = SASRecConfig
    presets: ClassVar = {"paper": SASRecConfig()}
    loss = "full-softmax CE"
    papers = papers.SASREC

    def build(self, train: Interactions, run: Run) -> Sequential:
        return _next_item("SASRec", _transformer(self.config), self.config, train, run)


class BERT4Rec(_Trained):
    """Self-attention in both directions that fills in masked items (RecBole's ``BERT4Rec``)."""

    Config = BERT4RecConfig
    presets: ClassVar = {"paper": BERT4RecConfig()}
    loss = "full-softmax CE on masked items"
    papers = papers.BERT4REC

    def build(self, train: Interactions, run: Run) -> Sequential:
        from mmbench_recbole.sequential import MaskedSequential

        c = self.config
        settings = {
            **_transformer(c),
            "loss_type": "CE",
            "mask_ratio": c.mask_ratio,
            "ft_ratio": c.last_ratio,
        }
        return MaskedSequential(
            "BERT4Rec",
            settings,
            train,
            run,
            max_history=c.max_history,
            batch_size=c.batch_size,
            stride=c.stride,
            trim=True,
        )


class RecBole(_Trained):
    """``recbole:<Name>``: any other RecBole model that trains from interactions alone."""

    Config = FamilyConfig
    presets: ClassVar = {"paper": FamilyConfig()}
    family = "model"

    def build(self, train: Interactions, run: Run) -> General | Sequential:
        from mmbench_recbole.families import build

        return build(self.config, train, run)

    @hookimpl
    def fit(self, train: Interactions, run: Run) -> None:
        from mmbench_recbole.training import train as train_network

        self.network = self.build(train, run)
        if self.network.trainable:
            train_network(self.network, self.config, run)
