"""VLM2Rec's losses, as pure functions of a batch's cosines.

b users, each with a target; ``similarity[u, j]`` is the cosine of user ``u`` and the target of user
``j``, so the diagonal holds the positives; ``negative[u, j]`` says whether target ``j`` is one of
user ``u``'s negatives. Numbers of equations are those of the VLM2Rec paper.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize, softplus


def cosines(users: Tensor, items: Tensor) -> Tensor:
    """float32[b, c] of [b, d] and [c, d]."""
    return normalize(users.float(), dim=-1) @ normalize(items.float(), dim=-1).T


def margins(similarity: Tensor, negative: Tensor) -> Tensor:
    """[b]: the positive's cosine less the mean of the negatives' (equation 6).

    A user without negatives has the positive's cosine.
    """
    weight = negative.to(similarity.dtype)
    mean = (similarity * weight).sum(1) / weight.sum(1).clamp(min=1)
    return similarity.diagonal() - mean


def modality_gap(first: Tensor, second: Tensor, stop_gradient: bool = True) -> Tensor:
    """[b], at least 0: the larger margin of each user less the smaller (equations 7 and 8).

    Args:
        first: [b], the margins of one modality.
        second: [b], those of the other.
        stop_gradient: the larger is a constant, so that only the smaller can close the gap.
    """
    strong, weak = torch.maximum(first, second), torch.minimum(first, second)
    return (strong.detach() if stop_gradient else strong) - weak


def penalty(gap: Tensor, alpha: Tensor, beta: Tensor, centred: bool = False) -> Tensor:
    """[b]: ``1 + beta softplus(alpha gap)`` (equation 9); centred, it is 1 where the gap is 0."""
    rise = softplus(alpha * gap)
    return 1 + beta * (rise - math.log(2) if centred else rise)


def contrastive(
    similarity: Tensor,
    negative: Tensor,
    temperature: float,
    weight: Tensor | None = None,
    reduction: Literal["mean", "sum"] = "mean",
) -> Tensor:
    """InfoNCE (equation 3), or WPCL (equation 10) with a weight on each user's negatives.

    Args:
        similarity: [b, b], of fused vectors.
        negative: bool[b, b], false on the diagonal; a user without negatives has a loss of 0.
        temperature: tau.
        weight: [b], positive; ``None`` is 1 for all.
        reduction: over users.
    """
    logits = similarity / temperature
    rivals = logits if weight is None else logits + weight.log()[:, None]
    positive = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    kept = torch.where(positive, logits, rivals.masked_fill(~negative, -torch.inf))
    loss = kept.logsumexp(1) - logits.diagonal()
    return loss.mean() if reduction == "mean" else loss.sum()


def topology(text: Tensor, image: Tensor, temperature: float) -> Tensor:
    """CRTR (equations 11 to 13): how far the two modalities' rankings of the targets are apart.

    Half the sum of both Kullback-Leibler divergences of a row's softmax, as a mean over rows.

    Args:
        text: [b, b], cosines in one modality.
        image: [b, b], in the other.
        temperature: of the softmax.
    """
    first = (text / temperature).log_softmax(1)
    second = (image / temperature).log_softmax(1)
    both = (first.exp() - second.exp()) * (first - second)
    return both.sum(1).mean() / 2
