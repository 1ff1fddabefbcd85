"""From vectors to ids."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbench.toolkit.semantic_ids import diagnostics
from mmbench.toolkit.semantic_ids.card import Card
from mmbench.toolkit.semantic_ids.config import SemanticIdConfig
from mmbench.toolkit.semantic_ids.kmeans import nearest, residual_kmeans
from mmbench.toolkit.semantic_ids.learned import Learned
from mmbench.toolkit.semantic_ids.unique import Unique, add_entries, demand_room, make_unique
from mmbench.views import Float32, Int32

logger = logging.getLogger("mmbench.toolkit.semantic_ids")


@dataclass(frozen=True, slots=True)
class SemanticIds:
    """Ids of a catalogue.

    Attributes:
        codes: int32[n_items + 1, levels], ``0..sizes[level] - 1``; row 0 is padding, all -1.
        sizes: codes of each level.
        card: how good they are.
    """

    codes: Int32
    sizes: tuple[int, ...]
    card: Card

    def __post_init__(self) -> None:
        self.codes.setflags(write=False)


def make_semantic_ids(
    vectors: Float32,
    config: SemanticIdConfig,
    seed: int,
    *,
    device: str = "cpu",
    log: Callable[..., None] = lambda step, **values: None,
    progress: Callable[..., None] = lambda done, total, unit: None,
) -> SemanticIds:
    """Ids of the items whose vectors these are.

    Items of equal vectors count once in learning and get equal codes, before ids are made unique.

    Args:
        vectors: float32[n_items + 1, d]; row 0 is padding, whatever it holds. Zeros stand for an
            item without text or picture, and are a vector like any other.
        config: how.
        seed: the only source of chance.
        device: where RQ-VAE is trained, in torch's words.
        log: ``run.log``, for the training's curves.
        progress: ``run.progress``.

    Raises:
        ValueError: vectors of another shape, NaN or infinity among them, no item, or fewer ids than
            items where ids are to be unique.
        FloatingPointError: RQ-VAE's loss is not finite.
    """
    items = _check(vectors)
    sizes = config.sizes_for(len(items))
    demand_room(len(items), sizes, config)
    _tell_limit(config.sizes, sizes, len(items), config)
    rng = np.random.default_rng(seed)
    distinct, number = np.unique(items, axis=0, return_inverse=True)
    number = number.ravel()
    learned = _learn(distinct, sizes, config, rng, device, log, progress)
    latents, closest = learned.latents[number], quantise(learned.latents, learned.books)[number]
    unique = make_unique(latents, learned.books, closest, config)
    card = _judge(items, len(distinct), closest, unique, learned, config, seed)
    codes = np.full((len(items) + 1, len(sizes)), -1, np.int32)
    codes[1:] = unique.codes
    return SemanticIds(codes, sizes, card)


def quantise(latents: Float32, books: tuple[Float32, ...]) -> Int32:
    """int32[n, levels]: the nearest entry of each level to what the levels before leave over."""
    codes, rest = [], latents
    for book in books:
        code, _ = nearest(rest, book)
        codes.append(code)
        rest = rest - book[code]
    return np.stack(codes, axis=1)


def _check(vectors: Float32) -> Float32:
    """float32[n_items, d], without padding. Raises ValueError."""
    if vectors.ndim != 2 or len(vectors) < 2 or not vectors.shape[1]:
        raise ValueError(
            f"vectors are {vectors.shape}; (n_items + 1, columns) are due, row 0 for padding"
        )
    items = np.ascontiguousarray(vectors[1:], np.float32)
    bad = np.flatnonzero(~np.isfinite(items).all(axis=1))
    if len(bad):
        raise ValueError(f"the vector of item {bad[0] + 1} holds NaN or infinity")
    return items + np.float32(0)  # -0.0 becomes 0.0, which is equal


def _learn(
    distinct: Float32,
    sizes: tuple[int, ...],
    config: SemanticIdConfig,
    rng: np.random.Generator,
    device: str,
    log: Callable[..., None],
    progress: Callable[..., None],
) -> Learned:
    if config.method == "rkmeans":
        books = residual_kmeans(distinct, sizes, rng, config.kmeans_rounds, config.kmeans_starts)
        return Learned(distinct, books, lambda latents: latents, 0, (0,) * len(sizes))
    from mmbench.toolkit.semantic_ids.training import train_rqvae

    return train_rqvae(distinct, sizes, config, rng, device=device, log=log, progress=progress)


def _judge(
    items: Float32,
    distinct: int,
    closest: Int32,
    unique: Unique,
    learned: Learned,
    config: SemanticIdConfig,
    seed: int,
) -> Card:
    sizes = tuple(map(len, learned.books))
    uses = [diagnostics.usage(closest[:, level], size) for level, size in enumerate(sizes)]
    present: NDArray[np.bool_] = (items != 0).any(axis=1)
    rng = np.random.default_rng([seed, 1])
    aliasing = diagnostics.aliasing(items[present], closest[present], rng)
    kept = diagnostics.neighbours_kept(items[present], unique.codes[present], rng)
    share, largest = diagnostics.collisions(closest)

    def error(codes: Int32) -> float | None:
        rebuilt = learned.decode(add_entries(learned.books, codes))
        return diagnostics.reconstruction_error(items, rebuilt)

    return Card(
        method=config.method,
        items=len(items),
        without_vector=int((~present).sum()),
        equal=len(items) - distinct,
        asked=config.sizes,
        sizes=sizes,
        used=tuple(used for used, _ in uses),
        perplexity=tuple(perplexity for _, perplexity in uses),
        reconstruction_error=error(closest),
        collisions=share,
        largest_group=largest,
        aliasing=aliasing.shares,
        aliasing_cosine=aliasing.low,
        moved_by_sinkhorn=unique.by_sinkhorn,
        moved_to_nearest=unique.by_nearest,
        moved_from_prefix=unique.by_prefix,
        reconstruction_error_unique=error(unique.codes),
        neighbours_kept=kept.share,
        neighbours_by_chance=kept.by_chance,
        epoch=learned.epoch,
        restarts=learned.restarts,
    )


def _tell_limit(
    asked: tuple[int, ...], sizes: tuple[int, ...], n_items: int, config: SemanticIdConfig
) -> None:
    if sizes != asked:
        logger.warning(
            "%s items have levels of %s codes instead of %s: at most one for %s items",
            *(n_items, sizes, asked, config.items_per_code),
        )
