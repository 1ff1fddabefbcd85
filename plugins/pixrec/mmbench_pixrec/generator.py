"""A trained generator: histories to drafts, drafts to ratings of the catalogue."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench import Interactions, Items, Products, Run, vlm
from mmbench_pixrec.configs import PixRecConfig
from mmbench_pixrec.network import Pair, Towers
from mmbench_pixrec.prompts import WORDS, Prompts, item_texts
from mmbench_pixrec.retrieval import Draft, Float32, Index, agreement, choose_drafts, round_robin
from mmbench_pixrec.windows import Window, draw_window, latest_windows

logger = logging.getLogger("mmbench_pixrec")


class Generator:
    """The towers, their catalogue, and how they are asked.

    Args:
        config: of one backbone; ``routed`` is two of these.
        train: for the popularity that orders items which nothing matched.
        items: the catalogue.
        run: seed, device, folders.

    Raises:
        ValueError: the items have no text, or pictures are asked of a backbone that only reads.
    """

    def __init__(self, config: PixRecConfig, train: Interactions, items: Items, run: Run) -> None:
        self.config, self.run = config, run
        plain = item_texts(items, config.fields)
        # an item's text never stands without ours: a tiny model's few tokens are for both
        texts = [*plain, *[WORDS] * len(plain)]
        self.backbone = vlm.load_backbone(config, run, texts=texts, items=items)
        if config.images and self.backbone.family.vision is None:
            raise ValueError(f"{config.backbone} sees no pictures: set images=false")
        self.towers = Towers(self.backbone, config)
        self.show(items, np.bincount(train.item, minlength=items.n_items + 1)[1:])

    def show(self, items: Items, counts: NDArray[np.int64]) -> None:
        """Answer for these items from now on.

        Args:
            items: the catalogue.
            counts: int64[n_items], their training events.
        """
        config = self.config
        # a tiny model's eyes are another's with every seed: not worth a place on the disk
        kept = None if config.family else self.run.encodings
        self.pictures = vlm.Pictures(self.backbone, items.images if config.images else None, kept)
        self.lower = vlm.lower_states(self.backbone, self.pictures, kept) if config.latest else None
        self.texts = item_texts(items, config.fields, self._cut)
        self.prompts = Prompts(self.texts, self.pictures.__contains__)
        self.corpus = sorted(set(self.texts[1:]))
        place = {text: row for row, text in enumerate(self.corpus)}
        self.row = np.array([place[text] for text in self.texts[1:]])
        # items of one text stand together, so they are as popular as all of them
        self.popularity = np.bincount(self.row, counts).astype(np.int64)
        self.index = Index(self.corpus, config.words, config.k1, config.b)
        self._forget_catalogue()

    def _cut(self, text: str) -> str:
        most = self.config.field_tokens
        return self.backbone.cut(text, most) if most else text

    def fit(self, train: Interactions) -> None:
        """Train on windows of the sequences. Raises ValueError where there are too few."""
        sequences = [items for items in train.sequences() if len(items) > 1]
        if self.config.contrasted and len(sequences) == 1:
            raise ValueError("one user alone cannot be contrasted with others; set alpha=0, beta=0")
        if self.config.contrasted and self.config.beta < 0:
            logger.warning(
                "beta is %g, as in the paper: histories are driven away from their own targets; "
                "set beta=0 or beta=%g to compare",
                self.config.beta,
                -self.config.beta,
            )

        config, most = self.config, self.config.window
        windows = [
            window
            for items in sequences
            for window in latest_windows(items, most, config.latest or 1)
        ]
        examples: Sequence[Any] = windows if config.latest else sequences

        def collate(chosen: list[Any], rng: np.random.Generator) -> list[Pair]:
            if len(chosen) == 1 and config.contrasted:  # an epoch's last: never alone
                others = [example for example in examples if example is not chosen[0]]
                chosen = [*chosen, others[int(rng.integers(len(others)))]]
            if not config.latest:
                chosen = [draw_window(items, most, rng) for items in chosen]
            return self._batch(chosen)

        vlm.train(
            self.towers,
            examples,
            collate,
            config,
            self.run,
            lengths=[self._tokens(window) for window in windows],
            refresh=self._refresh,
        )

    def _tokens(self, window: Window) -> int:
        """How many tokens are read of a window: its history with the target, and that alone."""
        items, target = window
        read = [self.prompts.tell(items.tolist(), target)]
        if self.config.contrasted:
            read.append(self.prompts.alone(target))
        return sum(len(self.backbone.encode(prompt)) for prompt in read)

    def _batch(self, windows: Sequence[Window]) -> list[Pair]:
        size = self.config.batch_chunk or len(windows)
        parts = [windows[start : start + size] for start in range(0, len(windows), size)]
        return [
            (
                self._read([self.prompts.tell(items.tolist(), target) for items, target in part]),
                self._read([self.prompts.alone(target) for _, target in part]),
            )
            for part in parts
        ]

    def _read(self, prompts: Sequence[vlm.Prompt]) -> vlm.Batch:
        encoded = [self.backbone.encode(one) for one in prompts]
        return self.backbone.batch(encoded, self.pictures, lower=self.lower)

    def _refresh(self) -> None:
        if self.lower is not None:
            self.lower.flush()
        self._forget_catalogue()

    def _forget_catalogue(self) -> None:
        self._catalogue: Float32 | None = None
        self._directions: Products | None = None

    @property
    def catalogue(self) -> Float32:
        """float32[n_items + 1, projection_dim]: v^T of all items, encoded when first asked for."""
        if self._catalogue is None:
            alone = [self.prompts.alone(item) for item in range(1, len(self.texts))]
            found = vlm.embed(
                self.backbone, alone, self.pictures, pool=self.towers.item, lower=self.lower
            )
            self._catalogue = np.pad(found, ((1, 0), (0, 0)))
        return self._catalogue

    def draft(self, histories: Sequence[Sequence[int]]) -> list[list[Draft]]:
        """What may come after each history; depends on it and the seed alone, but for rounding.

        Logits of a batch of another size are rounded otherwise, and a draw between two tokens may
        then fall on the other side.
        """
        config = self.config
        found = vlm.generate(
            self.backbone,
            [self.prompts.ask(history) for history in histories],
            self.pictures,
            seeds=[query_seed(self.run.seed, history) for history in histories],
            samples=config.generations,
            new_tokens=config.new_tokens,
            temperature=config.sampling_temperature,
            repetition_penalty=config.repetition_penalty,
            batch_size=max(1, config.generations_at_once // config.generations),
        )
        return [
            choose_drafts(
                ((one.text, one.logp / max(len(one.ids) + one.ended, 1)) for one in several),
                config.drafts,
            )
            for several in found
        ]

    def rank(self, history: Sequence[int], drafts: Sequence[Draft]) -> Float32:
        """float32[n_items]: how high each item stands; see ``round_robin``."""
        logp = [draft.logp for draft in drafts]
        if self.config.retrieval == "embedding":
            rates, popularity = self._near(history, drafts), self.popularity[self.row]
            return round_robin(rates, logp, popularity, self.config.epsilon)
        levels = round_robin(self._match(drafts), logp, self.popularity, self.config.epsilon)
        by_item: Float32 = levels[self.row]
        return by_item

    def sure(self, drafts: Sequence[Draft]) -> bool:
        """Whether enough of the generations agree on what matches best."""
        share = agreement(self._match(drafts), [draft.count for draft in drafts])
        return share >= self.config.certainty

    def _match(self, drafts: Sequence[Draft]) -> Float32:
        return self.index.rate([draft.text for draft in drafts])

    def _near(self, history: Sequence[int], drafts: Sequence[Draft]) -> Float32:
        """float32[q, n_items]: cosine of each draft, read after the history, and each item."""
        if not drafts:
            return np.zeros((0, len(self.row)), np.float32)
        prompts = [self.prompts.draft(history, draft.text) for draft in drafts]
        pool = self.towers.conditioned
        ours = vlm.embed(self.backbone, prompts, self.pictures, pool=pool)
        if self._directions is None:
            self._directions = Products(unit(self.catalogue[1:]))
        return self._directions.rate(unit(ours))


def unit(vectors: Float32) -> Float32:
    """Vectors [n, d] of length 1; zeros stay."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Float32 = (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)
    return scaled


def query_seed(seed: int, history: Sequence[int]) -> int:
    """A seed for a query's generations: of the run's and of what is shown, in any process."""
    text = f"{seed}:{','.join(map(str, history))}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
