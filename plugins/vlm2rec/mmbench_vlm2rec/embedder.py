"""Sequences of items to vectors: prompts, the backbone's last token, the sum of both modalities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from mmbench import Items, vlm
from mmbench_vlm2rec.configs import Config, View

Float32 = NDArray[np.float32]

OPENING: Mapping[View, str] = {
    "text": "Describe this item text sequence in one word, ",
    "image": "Describe this item image sequence in one word, ",
    "both": "Describe this item sequence in one word, ",
}
KEPT = 8192  # encoded prompts that stay in memory


def texts_of(items: Items) -> list[str]:
    """All that a prompt may be made of, for a miniature's tokenizer."""
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
    """

    def __init__(
        self, backbone: vlm.Backbone, config: Config, items: Items, folder: Path | None = None
    ) -> None:
        """Read a catalogue; ``folder`` (``run.encodings``) keeps what a frozen tower saw."""
        self.backbone = backbone
        self.config = config
        self.folder = folder
        self.open(items)

    def open(self, items: Items) -> None:
        """From now on, numbers of items are those of this catalogue."""
        cut, most = self.backbone.cut, self.config.title_tokens
        self.titles = [cut(title, most) if most else title for title in titles_of(items)]
        self.pictures = vlm.Pictures(self.backbone, items.images, self.folder)
        self.encode = lru_cache(KEPT)(self._encode)

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

    def batches(self, histories: Sequence[tuple[int, ...]]) -> dict[View, vlm.Batch]:
        """A batch for each view of the config, rows as in ``histories``."""
        return {
            view: self.backbone.batch([self.encode(view, row) for row in histories], self.pictures)
            for view in self.config.views
        }

    def lengths(self, histories: Iterable[Sequence[int]]) -> list[int]:
        """About how many tokens each of the histories takes."""
        tokens = np.array(
            [
                sum(len(self.encode(view, (item,))) for view in self.config.views) if item else 0
                for item in range(len(self.titles))
            ]
        )
        return [int(tokens[list(row[-self.config.max_history :])].sum()) for row in histories]

    def embed(
        self, histories: Sequence[Sequence[int]], views: Iterable[View]
    ) -> dict[str, Float32]:
        """``fused`` and each asked view: float32[n, d] for n sequences of items."""
        wanted = dict.fromkeys([*self.config.views, *views])
        found = {
            view: torch.from_numpy(
                vlm.embed(
                    self.backbone, [self.prompt(view, row) for row in histories], self.pictures
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

    def _encode(self, view: View, history: tuple[int, ...]) -> vlm.Encoded:
        return self.backbone.encode(self.prompt(view, history))
