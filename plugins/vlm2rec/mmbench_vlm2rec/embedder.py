"""Sequences of items to vectors: prompts, the backbone's last token, the sum of both modalities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from mmbench import Items, vlm
from mmbench_vlm2rec.configs import Config, View
from mmbench_vlm2rec.examples import Example

Float32 = NDArray[np.float32]

OPENING: Mapping[View, str] = {
    "text": "Describe this item text sequence in one word, ",
    "image": "Describe this item image sequence in one word, ",
    "both": "Describe this item sequence in one word, ",
}
KEPT = 4_000_000  # tokens of encoded prompts that stay in memory, some 50 bytes each


def texts_of(items: Items) -> list[str]:
    """All that a prompt may be made of, for a tiny model's tokenizer."""
    return [*titles_of(items), *OPENING.values(), *(f", {number}) " for number in range(10))]


def titles_of(items: Items) -> Sequence[str]:
    """The titles, index 0 for padding."""
    return next(iter(items.fields.values()))


def fuse(vectors: Iterable[Tensor], normalised: bool = False) -> Tensor:
    """[n, d]: the sum of the modalities' vectors, [n, d] each (equation 2)."""
    return torch.stack([normalize(v, dim=-1) if normalised else v for v in vectors]).sum(0)


class Embedder:
    """A backbone that reads sequences of a catalogue's items.

    Attributes:
        backbone: what reads.
        titles: of the items, cut to ``config.title_tokens``.
        pictures: as the backbone sees them.
        lower: what the layers below the trained ones make of prompts; ``None`` where all train.
    """

    def __init__(
        self, backbone: vlm.Backbone, config: Config, items: Items, folder: Path | None = None
    ) -> None:
        """Read a catalogue; ``folder`` (``run.encodings``) keeps what stands still."""
        self.backbone = backbone
        self.config = config
        self.folder = folder
        self.open(items)

    def open(self, items: Items) -> None:
        """From now on, numbers of items are those of this catalogue."""
        cut, most = self.backbone.cut, self.config.title_tokens
        self.titles = [cut(title, most) if most else title for title in titles_of(items)]
        self.pictures = vlm.Pictures(self.backbone, items.images, self.folder)
        self.lower = vlm.lower_states(self.backbone, self.pictures, self.folder)
        self._encoded: dict[tuple[View, tuple[int, ...]], vlm.Encoded] = {}
        self._kept = 0

    def prompt(self, view: View, history: Sequence[int]) -> vlm.Prompt:
        """``0) <title> <picture>, 1) ...`` of the last ``max_history`` items, oldest first.

        A place whose item has no title, or no picture, stays empty.
        """
        parts: list[vlm.Part] = [OPENING[view]]
        for place, item in enumerate(history[-self.config.max_history :]):
            parts.append(f", {place}) " if place else "0) ")
            if view != "image":
                parts.append(self.titles[item])
            if view == "both":
                parts.append(" ")
            if view != "text" and item in self.pictures:
                parts.append(vlm.Image(item))
        return vlm.Prompt(parts)

    def encode(self, view: View, history: tuple[int, ...]) -> vlm.Encoded:
        """The tokens of ``prompt``; remembered, for each epoch asks for them again."""
        history = history[-self.config.max_history :]
        if (view, history) not in self._encoded:
            encoded = self.backbone.encode(self.prompt(view, history))
            if self._kept + len(encoded) > KEPT:
                self._encoded, self._kept = {}, 0
            self._encoded[view, history] = encoded
            self._kept += len(encoded)
        return self._encoded[view, history]

    def batches(self, histories: Sequence[tuple[int, ...]]) -> dict[View, vlm.Batch]:
        """A batch for each view of the config, rows as in ``histories``."""
        return {
            view: self.backbone.batch(
                [self.encode(view, row) for row in histories], self.pictures, lower=self.lower
            )
            for view in self.config.views
        }

    def lengths(self, examples: Iterable[Example]) -> list[int]:
        """About how many tokens each example takes: its history's prompts and its target's.

        Counted from prompts that show each item once and twice, as if what an item adds did not
        depend on what stands before it; a prompt's true count differs by a few in a hundred.
        """
        alone, added = np.zeros((2, len(self.titles)), dtype=np.int64)
        for item in range(1, len(self.titles)):
            for view in self.config.views:
                once = len(self.encode(view, (item,)))
                alone[item] += once
                if self.config.max_history > 1:
                    added[item] += len(self.backbone.encode(self.prompt(view, (item, item)))) - once
        counted = []
        for example in examples:
            first, *others = example.history[-self.config.max_history :]
            counted.append(int(alone[first] + added[others].sum() + alone[example.target]))
        return counted

    def embed(
        self, histories: Sequence[Sequence[int]], views: Iterable[View]
    ) -> dict[str, Float32]:
        """``fused`` and each asked view: float32[n, d] for n sequences of items."""
        wanted = dict.fromkeys([*self.config.views, *views])
        still = bool(self.backbone.origin) and not self.config.trains
        found = {
            view: torch.from_numpy(
                vlm.embed(
                    self.backbone,
                    [self.prompt(view, row) for row in histories],
                    self.pictures,
                    folder=self.folder if still else None,
                    lower=self.lower,
                )
            )
            for view in wanted
        }
        fused = fuse([found[view] for view in self.config.views], self.config.normalised)
        return {"fused": fused.numpy(), **{view: found[view].numpy() for view in views}}

    def embed_catalogue(self, views: Iterable[View] = ()) -> dict[str, Float32]:
        """As ``embed``, of each item alone: float32[n_items + 1, d], the row of padding is 0."""
        found = self.embed([[item] for item in range(1, len(self.titles))], views)
        return {name: np.pad(vectors, ((1, 0), (0, 0))) for name, vectors in found.items()}
