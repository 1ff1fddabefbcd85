"""The offline stage: captions, interests, vectors and ids of a catalogue, each kept by content."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mmbench_content.encode import encode_pictures, encode_texts
from numpy.typing import NDArray

from mmbench import Interactions, Items, Run
from mmbench.toolkit import semantic_ids
from mmbench_trialigngr.captions import make_captions
from mmbench_trialigngr.configs import Content, TriAlignConfig
from mmbench_trialigngr.fields import categories_of, descriptions_of, first_words, titles_of
from mmbench_trialigngr.interests import mine

Float32 = NDArray[np.float32]

EXAMPLES = 3  # items of which a reader is shown what was made
TITLE = "assets"  # of the card on a row


@dataclass(frozen=True, slots=True)
class Assets:
    """What is told of items; index 0 is padding, an empty text is one that is missing.

    Attributes:
        texts: for each kind of content but ``image``, a text for each item.
    """

    texts: dict[Content, list[str]]

    def joined(self, content: tuple[Content, ...]) -> list[str]:
        """The texts of some kinds, joined by ``". "``, for each item."""
        columns = [self.texts[kind] for kind in content if kind != "image"]
        if not columns:
            return [""] * len(self.texts["title"])
        return [". ".join(text for text in row if text) for row in zip(*columns, strict=True)]


def make_assets(config: TriAlignConfig, items: Items, train: Interactions, run: Run) -> Assets:
    """Captions and interests where the config wants them; their counts are logged as a card."""
    blank = [""] * (items.n_items + 1)
    texts: dict[Content, list[str]] = {
        "title": titles_of(items, config.title_words),
        "description": descriptions_of(items, config.description_words),
        "caption": blank,
        "interests": blank,
    }
    order = by_popularity(train, items.n_items)
    if config.captions:
        chosen = sorted(order[: config.caption_items or None])
        texts["caption"] = make_captions(config, items, run, chosen)
    if config.interests:
        # what is left out of ids and tasks is not to come back through interests
        read: tuple[Content, ...] = ("title", "description")
        told = Assets(texts).joined((*read, "caption") if config.captions else read)
        chosen = sorted(order[: config.interest_items or None])
        mined = mine(config, items, told, categories_of(items), run, chosen)
        texts["interests"] = [", ".join(tags) for tags in mined.tags]
        counts = {"first": mined.first, "second": mined.second, "neither": mined.fallen}
        run.log(0, **{f"{TITLE}: interests by attempt, {n}": c for n, c in counts.items()})
    made = {kind: sum(map(bool, texts[kind])) for kind in ("caption", "interests")}
    run.log(0, **{f"{TITLE}: items with {kind}": float(count) for kind, count in made.items()})
    for item in order[:EXAMPLES]:
        run.example(f"item {item}", **{kind: column[item] for kind, column in texts.items()})
    return Assets(texts)


def by_popularity(train: Interactions, n_items: int) -> list[int]:
    """All items, those of the most training events first; the lower number where tied."""
    counts = np.bincount(train.item, minlength=n_items + 1)[1:]
    order: list[int] = (1 + np.argsort(-counts, kind="stable")).tolist()
    return order


def make_vectors(config: TriAlignConfig, items: Items, assets: Assets, run: Run) -> Float32:
    """float32[n_items + 1, d]: what ids are made of; see ``embedding_backbone``.

    Raises ValueError where no item has anything of ``content``.
    """
    told = [first_words(t, config.embedding_words) for t in assets.joined(config.content)]
    if config.embedding_backbone:
        from mmbench_trialigngr.gme import embed_jointly

        return embed_jointly(config, items, told, run)
    blocks = []
    if any(told):
        enriched = Items(items.n_items, {"title": told}, items.images)
        blocks.append(encode_texts(enriched, run, encoder=config.text_encoder, fields=()))
    if "image" in config.content and items.images is not None:
        seen = encode_pictures(
            items, run, encoder=config.image_encoder, batch_size=config.asset_batch
        )
        blocks.append(config.image_weight * seen)
    if not blocks:
        raise ValueError(f"no item has anything of {', '.join(config.content)}")
    return np.concatenate(blocks, axis=1).astype(np.float32)


def make_ids(config: TriAlignConfig, vectors: Float32, run: Run) -> semantic_ids.SemanticIds:
    """Ids of the items; their card is logged."""
    settings = semantic_ids.SemanticIdConfig(
        method=config.id_method,
        sizes=config.id_sizes,
        unique=config.id_unique,
        widths=config.id_widths,
        dim=config.id_dim,
        epochs=config.id_epochs,
        learning_rate=config.id_learning_rate,
        kmeans_starts=config.id_starts,
    )
    ids = semantic_ids.cached(
        run.encodings, vectors, settings, run.seed, device=run.device, progress=run.progress
    )
    run.log(0, **ids.card.figures())
    return ids
