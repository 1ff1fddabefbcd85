"""What all networks share: the table of items, which reads histories and rates the catalogue."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import embedding, linear

from mmbench import find_duplicates
from mmbench_sequential.dropout import Dropout


class Network(nn.Module):
    """A sequence encoder with tied item weights.

    ``forward`` takes histories, int64[b, w], left-padded with 0, and returns the states of their
    last positions, float[b, k, d]: all of them (``k = w``) if it is causal, else the last one.

    Attributes:
        causal: a position's state depends on that position and earlier ones only, so that one row
            can train all its positions.
        predicts_first: a user's first event is a training target too, predicted from padding.
        fixed_width: histories must have exactly ``max_history`` columns.
        max_history: the most columns.

    Args:
        n_items: items are ``1..n_items``.
        dim: width of an item's vector.
        max_history: see above.
        padding: the item whose vector stays 0, or None to train padding too.
    """

    causal = True
    predicts_first = False
    fixed_width = False

    def __init__(self, n_items: int, dim: int, max_history: int, padding: int | None = 0) -> None:
        super().__init__()
        self.max_history = max_history
        self.items: nn.Embedding | Adapted = nn.Embedding(n_items + 1, dim, padding_idx=padding)

    def start_from(
        self, vectors: torch.Tensor, *, frozen: bool, scaled: bool, residual: bool
    ) -> None:
        """Read items from other vectors, float[n_items, e], through an adapter; see ``Adapted``.

        ``scaled``: items then have the spread of the vectors that they replace.
        """
        own = self.items.weight.detach()
        trained = getattr(self.items, "padding_idx", None) is None
        padding = nn.Parameter(own[0].clone()) if trained else own[0].clone()
        spread = float(own[1:].std()) if scaled else None
        self.items = Adapted(vectors, padding, frozen=frozen, spread=spread, residual=residual)

    def table(self) -> torch.Tensor:
        """float[n_items, e]: the items in the space where an inner product is a score."""
        return self.items.weight[1:]

    def queries(self, states: torch.Tensor) -> torch.Tensor:
        """float[..., e]: states in the space of ``table``."""
        return states


class Adapted(nn.Module):
    """Item vectors that are another model's, through a linear map: ``E W^T + b (+ R)``.

    The map is read where a history is looked up and where the catalogue is rated, and learns from
    both (LLM2Rec's evaluation and VLM2Rec's Task 2).

    Items whose frozen vectors are equal, such as those of one title, are rated by equal vectors
    where nothing is added: in eval mode the first one's row stands for all, as a matrix product may
    round each otherwise.

    Args:
        vectors: float[n_items, e], the other model's.
        padding: float[d], the vector of padding; it learns if it is a parameter.
        frozen: the other model's vectors stay as they are.
        spread: the standard deviation that items' vectors start with; None for a Xavier-normal map.
        residual: whether there is an ``R``, a free vector for each item that starts at 0.
    """

    same: torch.Tensor  # int64[n_items]: for each item the first with its vector

    def __init__(
        self,
        vectors: torch.Tensor,
        padding: torch.Tensor,
        *,
        frozen: bool,
        spread: float | None,
        residual: bool,
    ) -> None:
        super().__init__()
        self.vectors = nn.Parameter(vectors.clone(), requires_grad=not frozen)
        if isinstance(padding, nn.Parameter):
            self.padding = padding
        else:
            self.register_buffer("padding", padding)
        same = torch.arange(len(vectors))
        if frozen and not residual:
            later, first = find_duplicates(vectors.numpy(force=True))
            same[torch.from_numpy(later)] = torch.from_numpy(first)
        self.register_buffer("same", same, persistent=False)
        self.map = nn.Parameter(torch.empty(len(padding), vectors.shape[1]))
        self.offset = nn.Parameter(torch.zeros(len(padding)))
        nn.init.xavier_normal_(self.map)
        if spread is not None:
            with torch.no_grad():
                self.map.mul_(spread / (vectors @ self.map.T).std())
        self.residual = nn.Parameter(torch.zeros(len(vectors), len(padding))) if residual else None

    @property
    def weight(self) -> torch.Tensor:
        """float[n_items + 1, d]: all vectors, the padding's first."""
        rows = linear(self.vectors, self.map, self.offset)
        rows = rows if self.training else rows[self.same]
        if self.residual is not None:
            rows = rows + self.residual
        return torch.cat([self.padding[None], rows])

    def forward(self, history: torch.Tensor) -> torch.Tensor:
        """float[..., d]: the vectors of items."""
        real = history > 0
        places = history - real.to(history.dtype)
        rows = linear(embedding(places, self.vectors), self.map, self.offset)
        if self.residual is not None:
            rows = rows + embedding(places, self.residual)
        return torch.where(real[..., None], rows, self.padding)


class FeedForward(nn.Module):
    """Two layers with a GELU, added to their input and normalised; dropout on the sum's new part.

    Args:
        dim: width of input and output.
        inner: width between.
        dropout: of the second layer's output.
        inner_dropout: of the first layer's.
    """

    def __init__(self, dim: int, inner: int, dropout: float, inner_dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dim, inner),
            nn.GELU(),
            Dropout(inner_dropout),
            nn.Linear(inner, dim),
            Dropout(dropout),
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.norm(x + self.layers(x))
        return normed


class Positions(nn.Module):
    """Adds learned positions, counted from the end, to vectors; then LayerNorm and dropout."""

    def __init__(self, max_history: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.positions = nn.Embedding(max_history, dim)
        self.norm = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        aligned = self.positions.weight[-x.shape[1] :]
        placed: torch.Tensor = self.dropout(self.norm(x + aligned))
        return placed


def initialise_normal(network: nn.Module, std: float = 0.02) -> None:
    """N(0, std) for matrices, 0 for biases; LayerNorms and the padding's vector stay neutral."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=std)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            with torch.no_grad():
                module.weight[module.padding_idx] = 0
