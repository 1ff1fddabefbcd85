"""The whole contract between mmbench and its plugins: the hooks, who calls them and when.

A plugin is a class that an entry point of one of the three groups names. It marks its hooks with
``mmbench.hookimpl`` and takes only the arguments it wants, by name::

    class Popular:
        Config = PopularConfig                      # frozen dataclass, a default for every field
        needs = frozenset()                         # of {"text", "image"}
        presets = {"paper": PopularConfig()}

        def __init__(self, config): self.config = config

        @hookimpl
        def fit(self, train): ...

        @hookimpl
        def score(self, queries): ...
"""

# mypy: disable-error-code="empty-body"
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pluggy

from mmbench.views import Answer, Float32, Int32, Interactions, Items, Queries, Run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

PROJECT = "mmbench"
MODEL_GROUP = "mmbench.models"
DATASET_GROUP = "mmbench.datasets"
OBSERVER_GROUP = "mmbench.observers"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class Published:
    """One figure that a paper prints for a model, for the board's "paper vs ours".

    Attributes:
        dataset: a dataset id, as in ``amazon2014-beauty``.
        candidates: the candidate set that the figure answers, such as ``full`` or ``neg100``.
        metric: in mmbench's words, as in ``ndcg@10``.
        value: as printed.
        source: paper and table.
        model: the row's name in the paper.
        differs: what the paper does otherwise than the protocol and the preset, or an empty string.
    """

    dataset: str
    candidates: str
    metric: str
    value: float
    source: str
    model: str
    differs: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a source becomes a log; every field is part of the dataset's fingerprint.

    Attributes:
        require: drop items without these (``text`` means a title), before the k-core.
        duplicates: what to do with a user's repeated item: ``keep`` all events, or only the
            ``first`` or ``last``.
        min_rating: drop events rated lower, where there are ratings.
        core: repeat until each user and each item has this many events; 0 leaves all.
        min_length: drop users with fewer events after that (3: train, valid, test).
        ties: how events of one user at the same time are ordered: by a ``hash`` that is keyed by
            the log, the same for everybody, or as in the ``source``, whose order of rows is an
            artefact that some models live on. Where the source tells no times but only an order,
            that order is kept either way.
    """

    require: tuple[Literal["text", "image"], ...] = ()
    duplicates: Literal["keep", "first", "last"] = "keep"
    min_rating: float | None = None
    core: int = 0
    min_length: int = 3
    ties: Literal["hash", "source"] = "hash"


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """What a dataset says of itself.

    Attributes:
        id: as in ``amazon2014-beauty``.
        name: for people.
        aliases: short names that ``--data`` takes too.
        licence: who may do what with it.
        origin: where it comes from, and how to get it.
        remarks: what a reader of a board must know, such as "pictures are drawn".
        text: the text columns shown to models, the title first; empty means all.
        recipe: how the source becomes a log.
        lineage: a word that datasets share which hold the same events in whichever form, such as
            ``amazon-beauty`` for that shop's reviews by whichever crawl; they are never fitted on,
            or joined with, one another. Categories of one crawl have users in common and no event,
            so each has a word of its own. Empty means the id: the events are nowhere else.
    """

    id: str
    name: str = ""
    aliases: tuple[str, ...] = ()
    licence: str = ""
    origin: str = ""
    remarks: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    recipe: Recipe = field(default_factory=Recipe)
    lineage: str = ""


@dataclass(frozen=True, slots=True)
class RawDataset:
    """A source as it was read, nothing dropped.

    Attributes:
        events: columns ``user``, ``item`` (strings), ``time`` (int64: seconds, or positions
            ``0, 1, 2 ...`` of each user's events where the source has only an order), ``rating``
            (float64) where there are ratings, and ``nanosecond`` (int64, of its second) where the
            source tells moments finer than a second; rows in the order of the source.
        items: column ``item`` (string, unique) and the text columns (strings, empty if missing).
        images_root: the folder or zip that holds the pictures, or ``None``.
        images: item id to path inside ``images_root``.
        ceilings: what is known of the best possible figures, such as ``{"ndcg@10": 0.41}``; only
            made-up worlds know it.
    """

    events: pd.DataFrame
    items: pd.DataFrame
    images_root: Path | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    ceilings: Mapping[str, float] = field(default_factory=dict)


class ModelHooks:
    """1:1 hooks of a model; each cell has a fresh instance.

    Class attributes that the harness reads:
        Config: a frozen dataclass or pydantic model, a default for every field. What its docstrings
            say below ``Attributes:`` is what ``mmbench ls models NAME`` shows. Of a list or a dict,
            which a default would share, give ``field(default_factory=...)``, or use a tuple.
        presets: ``{name: Config}``, at least ``paper``; ``tiny`` too where ``paper`` takes long or
            wants a GPU: the conformance checks run it; ``small`` is the same recipe on small
            pretrained weights. Other names are variants, each with a ``variant/small`` and a
            ``variant/tiny`` where it wants one.
        stand_ins: the sizes, such as ``("tiny",)``, that stand in for the real thing (random
            weights, statistics) and say nothing of it (optional). ``--preset auto`` takes ``paper``
            where there is a CUDA GPU and its weights, else ``small`` where its weights are, else
            the first of these, and boards mark the row ``(small)`` or ``(tiny)``. They also mark
            one that was given a stand-in's weights, in a setting whose name ends in ``backbone`` or
            ``encoder``. Without ``stand_ins`` every preset is the model itself, and ``auto`` takes
            ``paper`` everywhere.
        needs: frozenset of ``{"text", "image"}``; a dataset without them is *not applicable*. Or a
            static method that returns it for a Config, where presets differ in it.
        pretrained: a static method that names, for a Config, the pretrained weights that it loads,
            as in ``("org/name@commit",)``; ``mmbench.toolkit.weights`` says which names there are
            (optional). The harness puts their commits or digests into the cell, so that other
            weights are another cell.
        papers: published figures, a sequence of ``mmbench.Published``, or ``{variant: sequence}``
            where variants have rows of their own, ``""`` for the plain model (optional).
        family: the Config field that the text after a colon sets, as in ``recbole:NeuMF``
            (optional).
        upstream: the Config field that may name another model (optional). The grid then runs that
            model first, with the same seed, and ``items.features[field]`` holds its ``fused`` item
            embeddings, float32[n_items + 1, d].
        max_candidates: the widest candidate set that ``score(candidates=...)`` can afford
            (optional; wider sets are shown as not asked, but for the smallest sampled one).
        per_set: True for a model whose answer depends on what may be recommended, such as a
            retriever with a reranker (optional). It is then asked once for each candidate set, see
            ``score``; all others are asked once, and every set is ranked in the same pass.
        known_failures: ``{check: reason}``, conformance checks that the model cannot pass, or
            ``{preset: {check: reason}}`` where presets differ in it; strict, and a footnote on the
            boards of rows that are run from then on (optional).
        loss: a word for the board where the loss decides the figure (optional).
        draws: False says that nothing in the model is drawn: every seed gives the same scores
            (optional). ``--seeds 3`` then runs one seed, boards know that it has no seed noise, and
            ``deterministic_under_a_seed`` compares two seeds. Written as ``draws = False`` in the
            class's body it is no part of the digest of code.
        processes: True says that several processes can fit the model together, each on a GPU of its
            own and on a part of every batch (optional; ``mmbench run --processes 2``). ``fit`` is
            then called in each of them, with the same views, and has to train by
            ``mmbench.vlm.train``, which joins them, and to write nowhere but into ``run.scratch``,
            under names of its own, and through ``mmbench.toolkit``. ``run.validate`` belongs to the
            first. The first alone is asked for scores.
        seconds: a static method that returns, for a Config, about how long a cell takes on two CPU
            cores: ``{"cell": s, "user": s, "item": s, "event": s}``, each times the dataset's
            number of them, those that matter (optional). ``mmbench run`` tells it before it starts,
            and what is stored of the same model is trusted more.
    """

    @hookspec(firstresult=True)
    def fetch(self, cache: Path) -> None:
        """Download, or convert, pretrained weights. Optional; the only place for the network.

        ``mmbench.toolkit.weights.fetch`` does it for a source.
        """

    @hookspec(firstresult=True)
    def fit(self, train: Interactions, items: Items, run: Run) -> None:
        """Learn from the training events. Called once, before any score.

        Where datasets are joined (``--data a+b``), both hold all of them, one after the other.
        """

    @hookspec(firstresult=True)
    def score(self, queries: Queries, candidates: Int32, excluded: Int32) -> Answer:
        """Rate items for each query; higher is better, only the order counts.

        An implementation that names only ``queries`` rates the whole catalogue, float32[b, n_items]
        (column ``j`` is item ``j + 1``), or returns a ``TopK``. One that names ``candidates``
        (int32[b, c], ascending in each row) rates those: float32[b, c]. ``-inf`` means not
        retrieved. NaN, +inf, a wrong shape or a padding item in a TopK fail the cell. Scores of
        another type become float32: float64 scores that differ by less are tied, so center and
        scale them first.

        ``queries.history`` shows a query's last events, as many as the protocol's ``max_history``
        (50 in ``loo@2``), left-padded: what lies before is not shown, however long the user's
        history is.

        A class with ``per_set = True`` is asked once for each candidate set. For ``full`` and
        ``unseen`` the candidates are the catalogue, for a sampled set its own. ``excluded``,
        int32[b, e], left-padded with 0 and else ascending, holds the items that cannot be
        recommended although they are among the candidates: those that the user has seen, where
        ``unseen`` is asked, and none (``e`` is 0) for the other sets and in ``run.validate``. What
        it scores an excluded item is of no account. The sampled sets are asked last, and what they
        hold is told then.

        A model whose scores are inner products returns ``Vectors``, and ``embed_items`` the other
        side of them; ``mmbench.EmbeddingModel`` does so. The harness multiplies and ranks in
        blocks: on every processor, items of equal vectors are exactly tied, and a query has the
        scores that its vector would get alone.

        What a model multiplies itself is as exact in ties as its library makes it, and a library
        may round each place of a matrix and each size of a batch otherwise, so that ties and last
        bits depend on the processor and on what is asked together. ``mmbench.Products`` multiplies
        as the harness does. States that a network makes in batches differ by rounding in any case;
        the conformance checks allow 1e-4 of the range of a query's scores.
        """

    @hookspec(firstresult=True)
    def transfer(self, items: Items) -> None:
        """Optional: answer for another catalogue from now on, without learning.

        Called once, between ``fit`` and the first ``score`` of the test queries, in cells that are
        fitted on one dataset and asked on another (``--fit-on``). Histories then hold numbers of
        these items, and no user is known.
        """

    @hookspec(firstresult=True)
    def keep(self) -> Mapping[str, np.ndarray]:
        """Optional, with ``restore``: what ``fit`` learned, as named arrays.

        NumPy arrays or torch tensors of numbers; what the Config tells and what ``restore`` is
        given need not be among them. Called after ``fit`` where ``--keep-fit`` asks for it, and
        changes nothing. The harness writes them as safetensors, with the identity of the cell.
        Marked with ``@hookimpl`` in a class at a module's top level, this hook and ``restore`` are
        no part of the digest of code; ``fit`` and ``score`` must not call them. Imports that they
        alone need stand inside them.
        """

    @hookspec(firstresult=True)
    def restore(
        self, arrays: Mapping[str, np.ndarray], train: Interactions, items: Items, run: Run
    ) -> None:
        """Optional, with ``keep``: be as after the ``fit`` that kept these arrays.

        Called on a new instance with the same Config instead of ``fit``, with what that was given;
        tensors have become arrays, and bfloat16 float32. ``items.features`` has no vectors of an
        upstream model, and ``run.validate`` raises. Every score must be what the fitted instance
        answers: a conformance check compares them, in another process.
        """

    @hookspec(firstresult=True)
    def embed_items(self, items: Items) -> Mapping[str, Float32]:
        """Optional: ``{"fused": float32[n_items + 1, d], "text": ..., "image": ...}``."""

    @hookspec(firstresult=True)
    def embed_queries(self, queries: Queries) -> Mapping[str, Float32]:
        """Optional: ``{"fused": float32[b, d], ...}`` in the spaces of ``embed_items``."""


class DatasetHooks:
    """1:1 hooks of a dataset.

    Class attributes that the harness reads:
        info: a ``DatasetInfo``; its id is the entry point's name.
    """

    @hookspec(firstresult=True)
    def fetch(self, cache: Path, progress: Callable[..., None]) -> None:
        """Download the source into ``cache``: checksummed, resumable. Optional."""

    @hookspec(firstresult=True)
    def read(self, cache: Path) -> RawDataset:
        """Read the source: no network, no chance, no filtering."""


class ObserverHooks:
    """1:N hooks of observers; they are told, and cannot change a thing.

    Each lives in a process of its own, where it hears one notice after another. Nobody waits for
    it before the run has ended: what it raises is a warning, what it prints comes out with its
    name. What it is given is a copy of its own that refuses to be written to. ``cell`` is a cell's
    identity, with the row's ``label`` and its ``preset`` beside, and ``replayed``: whether it ran
    before and is told again, on request. Cells that run side by side are told of in turns; ``id``
    of a cell tells them apart.

    Class attributes that the harness reads:
        Config: a frozen dataclass or pydantic model, a default for every field, of the options that
            ``--observer name:key=value`` gives; the instance is built with it. Without it there are
            no options, and the class is built without an argument. What its docstring says below
            ``Attributes:`` is what ``mmbench ls observers NAME`` shows (optional).
        patience: the seconds that a hook may take once the run has ended, 60 by default.
    """

    @hookspec
    def prepare(self) -> None:
        """Look at what the observer needs, such as a library. Called once, before anything is done.

        What it raises ends the command with exit code 2: say how to mend it.
        """

    @hookspec
    def run_started(self, run: Mapping[str, Any]) -> None:
        """A run begins: ``results``, the folder; ``due`` and ``stored``, the cells of each kind."""

    @hookspec
    def cell_stored(self, cell: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """A cell of the run was stored before it, and is not run again; told after the start.

        With ``--replay`` its start, its curves and its end are told before that.
        """

    @hookspec
    def cell_started(self, cell: Mapping[str, Any]) -> None:
        """A cell begins."""

    @hookspec
    def cell_logged(self, cell: Mapping[str, Any], step: int, values: Mapping[str, float]) -> None:
        """The model logged a point of a curve."""

    @hookspec
    def cell_finished(self, cell: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """A cell ended, in whichever way; ``result`` is what was stored.

        One that another grid ran meanwhile ends without a start.
        """

    @hookspec
    def run_finished(self, run: Mapping[str, Any]) -> None:
        """A run ended: ``results`` as before; ``ended``, how many cells by status; ``stopped``, the
        name of the exception where something stopped it, such as ``Interrupted``, else empty.
        """
