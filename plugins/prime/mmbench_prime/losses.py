"""What the retriever learns of the ranker: odds of candidate sets (section 3.2.4)."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Likelihood = Literal["mean", "product"]


def log_likelihood(log_p: Tensor, sets: Tensor, kind: Likelihood = "mean") -> Tensor:
    """float[n]: the logarithm of a candidate set's likelihood.

    ``product`` is equation 4, the product of the items' probabilities; of 25 items it is so small
    that 1 less it is 1, and the odds are the likelihood itself. ``mean`` is their mean, which the
    reference code takes.

    Args:
        log_p: float[n, N], log-probabilities of the catalogue.
        sets: int64[n, k], columns.
        kind: see above.
    """
    each = log_p.gather(1, sets)
    if kind == "product":
        return each.sum(dim=1)
    return torch.logsumexp(each, dim=1) - math.log(sets.shape[1])


def log_odds(log_p: Tensor) -> Tensor:
    """float[n]: log(p / (1 - p)) of log p < 0 (equation 5), stable at both ends."""
    near_one = torch.log(-torch.expm1(log_p.clamp(min=-1)))
    far = torch.log1p(-torch.exp(log_p.clamp(max=-0.5)))
    return log_p - torch.where(log_p > -0.7, near_one, far)


def odds_ratio_loss(won: Tensor, lost: Tensor) -> Tensor:
    """Minus the mean of log sigmoid of the log odds ratio (equation 6).

    Args:
        won: float[n], log-likelihoods of the preferred sets.
        lost: float[n], those of the others.
    """
    return -F.logsigmoid(log_odds(won) - log_odds(lost)).mean()
