"""GPT-2 over a table of items that is made of their features. Importing this loads torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from mmbench_sequential.network import Network
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy, embedding, normalize, pad

from mmbench import find_duplicates
from mmbench_mmgpt2rec.configs import MMGPT2RecConfig
from mmbench_mmgpt2rec.fusion import make_fusion

View = Literal["fused", "text", "image"]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Standardised features of items ``1..n``, of item ``i`` in row ``i - 1``.

    Attributes:
        text: float32[n, t], zeros for an item without text.
        image: float32[n, p], zeros for an item without picture.
        shown: bool[n], whether it has a picture.
    """

    text: NDArray[np.float32]
    image: NDArray[np.float32]
    shown: NDArray[np.bool_]


class GPT2Rec(Network):
    """Histories to states, whose inner products with the one table of items are the scores.

    ``E = fusion(text, image) (+ R)``, or with ``config.table == "free"`` a table that started as
    that. Padding has no row in it: it is neither an input that anything looks at, nor a class.

    Args:
        gpt2: ``transformers.GPT2Model``; its positions count from a history's first event.
        catalogue: what is fitted on.
        config: how the table is made.
    """

    text: torch.Tensor
    image: torch.Tensor
    shown: torch.Tensor
    same: torch.Tensor  # int64[n]: for each item the first with its features

    def __init__(self, gpt2: Any, catalogue: Catalogue, config: MMGPT2RecConfig) -> None:
        nn.Module.__init__(self)  # the parent's own table of items is not made
        self.gpt2, self.max_history = gpt2, config.max_history
        self.view: View = "fused"
        width = gpt2.config.n_embd
        widths = catalogue.text.shape[1], catalogue.image.shape[1]
        self.missing = nn.Parameter(torch.zeros(widths[1]))
        self.fusion = make_fusion(config, *widths, width)
        size = len(catalogue.shown)
        self.residual = nn.Parameter(torch.zeros(size, width)) if config.residual else None
        self.free: nn.Parameter | None = None
        self.show(catalogue)
        if config.table == "free":
            self.free = nn.Parameter(self.made().detach().clone())
            self.fusion.requires_grad_(False)
            self.missing.requires_grad_(False)

    def show(self, catalogue: Catalogue) -> None:
        """Hold a catalogue from now on; free vectors are those of the one that was fitted on.

        Called for another catalogue, items have what their features tell: the vectors beside them
        are 0, and a free table is as it would start.
        """
        device = next(self.gpt2.parameters()).device
        for name in ("text", "image", "shown"):
            values = torch.from_numpy(getattr(catalogue, name)).to(device)
            self.register_buffer(name, values, persistent=False)
        later, first = find_duplicates(
            np.column_stack([catalogue.text, catalogue.image, catalogue.shown[:, None]])
        )
        same = np.arange(len(catalogue.shown))
        same[later] = first
        self.register_buffer("same", torch.from_numpy(same).to(device), persistent=False)

    def forget_items(self) -> None:
        """Leave what belongs to the items that were fitted on alone."""
        self.residual = self.free = None

    def made(self, items: torch.Tensor | None = None) -> torch.Tensor:
        """float[n, d], or float[..., d] of these rows: what the features tell in ``self.view``."""
        text, image, shown = self.text, self.image, self.shown
        if items is not None:
            text, image = embedding(items, text), embedding(items, image)
            shown = shown[items]
        image = torch.where(shown[..., None], image, self.missing)
        if self.view == "text":
            image = torch.zeros_like(image)
        elif self.view == "image":
            text = torch.zeros_like(text)
        made: torch.Tensor = self.fusion(text, image)
        return made

    def table(self) -> torch.Tensor:
        """float[n, d]: the items, as they are read and as they are predicted.

        In eval mode, items of equal features have equal rows where nothing is added: a matrix
        product may round each otherwise.
        """
        if self.free is not None and self.view == "fused":
            return self.free
        table = self.made()
        table = table if self.training else table[self.same]
        if self.residual is not None and self.view == "fused":
            table = table + self.residual
        return table

    def look_up(self, items: torch.Tensor, table: torch.Tensor | None) -> torch.Tensor:
        """float[..., d]: the vectors of items, zeros for padding; without a table they are made."""
        real = items > 0
        rows = (items - real.to(items.dtype)).clamp(min=0)
        if table is None and self.free is not None and self.view == "fused":
            table = self.free
        found = self.made(rows) if table is None else embedding(rows, table)
        if table is None and self.residual is not None and self.view == "fused":
            found = found + embedding(rows, self.residual)
        return found * real[..., None]

    def forward(self, history: torch.Tensor, table: torch.Tensor | None = None) -> torch.Tensor:
        """float[b, w, d]: the state of each position of left-padded histories, int64[b, w].

        Events are moved to the front, where GPT-2 counts its positions from; padding then stands
        behind them, where causal attention does not look. An empty history is one event of zeros.
        """
        width = history.shape[1]
        column = torch.arange(width, device=history.device)
        pads = (history == 0).sum(dim=1, keepdim=True).clamp(max=width - 1)
        front = history.gather(1, (column + pads) % width)
        states = self.gpt2(inputs_embeds=self.look_up(front, table), use_cache=False)[0]
        back = ((column - pads) % width)[..., None].expand(states.shape)
        placed: torch.Tensor = states.gather(1, back)
        return placed

    @contextmanager
    def seen_as(self, view: View) -> Iterator[None]:
        """Inside, items are told by one modality alone."""
        before, self.view = self.view, view
        try:
            yield
        finally:
            self.view = before

    def contrast(self, history: torch.Tensor, temperature: float) -> torch.Tensor:
        """InfoNCE between the texts and the pictures of a batch's items, both ways.

        Each item's picture is to be told from the other items' by its text, and the other way
        round, by the cosine of what either modality makes alone. 0 where fewer than two items of
        the batch have a picture.

        Args:
            history: int64[b, w].
            temperature: of the cosines.
        """
        items = torch.unique(history[history > 0]) - 1
        items = items[self.shown[items]]
        if len(items) < 2:
            return self.missing.new_zeros(())
        sides = []
        for view in ("text", "image"):
            with self.seen_as(view):  # type: ignore[arg-type]
                sides.append(normalize(self.made(items), dim=-1))
        likeness = sides[0] @ sides[1].T / temperature
        right = torch.arange(len(items), device=items.device)
        return (cross_entropy(likeness, right) + cross_entropy(likeness.T, right)) / 2


def padded(table: torch.Tensor) -> NDArray[np.float32]:
    """float32[n + 1, d]: a table with a row of zeros for padding before it."""
    found: NDArray[np.float32] = pad(table.detach(), (0, 0, 1, 0)).float().cpu().numpy()
    return found
