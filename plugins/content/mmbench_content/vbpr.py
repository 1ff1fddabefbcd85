"""VBPR: matrix factorisation with visual features (He and McAuley, 2016). Importing loads torch."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import logsigmoid

from mmbench import Interactions, Run
from mmbench.toolkit.training import early_stopping
from mmbench_content.configs import VBPRConfig

Float32 = NDArray[np.float32]
Index = NDArray[np.int64]

SPREAD = 0.01  # deviation of the initial factors
ROUNDS = 50  # a user who has had nearly all items keeps a bad draw after so many tries


class Network(nn.Module):
    """``x(u, i) = b_i + <p_u, q_i> + <theta_u, E f_i> + <beta, f_i>``, equation 4 of the paper.

    The paper's global offset and user biases cancel in every comparison of two items.

    Args:
        n_users: users are ``0..n_users-1``.
        features: float32[n_items, k], of item ``i`` in row ``i - 1``; zeros where there is none.
        config: sizes and regularisation.
    """

    features: torch.Tensor

    def __init__(self, n_users: int, features: Float32, config: VBPRConfig) -> None:
        super().__init__()
        n_items, width = features.shape
        self.config = config
        self.users = nn.Embedding(n_users, config.dim)
        self.tastes = nn.Embedding(n_users, config.visual_dim)
        self.items = nn.Embedding(n_items, config.dim)
        self.bias = nn.Parameter(torch.zeros(n_items))
        self.map = nn.Parameter(torch.empty(width, config.visual_dim))
        self.visual_bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("features", torch.from_numpy(features))
        for weight in (self.users.weight, self.tastes.weight, self.items.weight, self.map):
            nn.init.normal_(weight, std=SPREAD)

    def loss(self, user: torch.Tensor, item: torch.Tensor, negative: torch.Tensor) -> torch.Tensor:
        """BPR's ``-ln sigmoid(x(u, i) - x(u, j))``, mean over the batch, with squared parameters.

        Args:
            user: int64[m].
            item: int64[m], rows of ``features``.
            negative: int64[m], likewise.
        """
        p, theta = self.users(user), self.tastes(user)
        q, q_negative = self.items(item), self.items(negative)
        b, b_negative = self.bias[item], self.bias[negative]
        f = self.features[item] - self.features[negative]
        margin = b - b_negative + (p * (q - q_negative)).sum(1) + f @ self.visual_bias
        margin = margin + (theta * (f @ self.map)).sum(1)
        held = sum(part.square().sum() for part in (p, theta, q, q_negative, b, b_negative))
        shared = self.map.square().sum() + self.visual_bias.square().sum()
        config = self.config
        return (
            -logsigmoid(margin).mean()
            + config.regularization * held / len(user)
            + config.visual_regularization * shared
        )

    @torch.inference_mode()
    def factors(self) -> tuple[Float32, Float32]:
        """Users and items whose inner products are the scores.

        Returns:
            float32[n_users, e], each row ``(p, theta, 1)``, and float32[n_items, e], each row
            ``(q, E f, b + <beta, f>)``.
        """
        ones = torch.ones_like(self.users.weight[:, :1])
        users = torch.cat([self.users.weight, self.tastes.weight, ones], dim=1)
        rest = self.bias + self.features @ self.visual_bias
        items = torch.cat([self.items.weight, self.features @ self.map, rest[:, None]], dim=1)
        return users.cpu().numpy(), items.cpu().numpy()


class Negatives:
    """Items drawn evenly from those that a user has not had in training."""

    def __init__(self, train: Interactions) -> None:
        self.n_items = train.n_items
        self.had = np.unique(self._key(train.user, train.item - 1))

    def _key(self, user: NDArray, item: NDArray) -> Index:
        key: Index = user.astype(np.int64) * self.n_items + item
        return key

    def draw(self, user: NDArray, rng: np.random.Generator) -> Index:
        """int64[m], an item ``0..n_items-1`` for each user."""
        drawn = rng.integers(self.n_items, size=len(user))
        for _ in range(ROUNDS):
            bad = np.flatnonzero(self._had(user, drawn))
            if not len(bad):
                break
            drawn[bad] = rng.integers(self.n_items, size=len(bad))
        return drawn

    def _had(self, user: NDArray, item: NDArray) -> NDArray[np.bool_]:
        key = self._key(user, item)
        place = np.minimum(np.searchsorted(self.had, key), len(self.had) - 1)
        found: NDArray[np.bool_] = self.had[place] == key
        return found


def centre(features: Float32) -> Float32:
    """Rows with a picture, less their mean, scaled so that their mean square length is 1.

    What all pictures share moves no comparison; rows of zeros, without a picture, stay.
    """
    known = features.any(axis=1)
    centred = np.zeros_like(features)
    centred[known] = features[known] - features[known].mean(axis=0)
    length = math.sqrt(float(np.square(centred[known]).sum(axis=1).mean()))
    return centred / np.float32(length or 1)


def train(network: Network, events: Interactions, config: VBPRConfig, run: Run) -> None:
    """Train with Adam until validations bring no more gain; leaves the best state.

    Raises ValueError without training events, FloatingPointError where the loss is not finite.
    """
    if not len(events.item):
        raise ValueError("vbpr cannot learn: there is no training event")
    rng = np.random.default_rng(run.seed)
    negatives = Negatives(events)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)

    def run_one() -> float:
        return _epoch(network, events, negatives, optimizer, config, run, rng)

    early_stopping(network, run_one, config, run)


def _epoch(
    network: Network,
    events: Interactions,
    negatives: Negatives,
    optimizer: torch.optim.Optimizer,
    config: VBPRConfig,
    run: Run,
    rng: np.random.Generator,
) -> float:
    """One pass over the events in a new order; the mean loss of its batches."""
    order, total, count = rng.permutation(len(events.item)), 0.0, 0
    for start in range(0, len(order), config.batch_size):
        index = order[start : start + config.batch_size]
        user = events.user[index].astype(np.int64)
        item = events.item[index].astype(np.int64) - 1
        triple = (user, item, negatives.draw(user, rng))
        optimizer.zero_grad()
        loss = network.loss(*(torch.from_numpy(part).to(run.device) for part in triple))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total, count = total + float(loss.detach()), count + 1
        if not math.isfinite(total):
            raise FloatingPointError(
                f"the loss became {float(loss.detach())}: lower learning_rate "
                f"(now {config.learning_rate})"
            )
    return total / count
