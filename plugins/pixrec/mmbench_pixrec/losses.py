"""PixRec's losses (equations 1 to 4) as functions of tensors.

Equation 1 is an autoregressive likelihood, so a token is compared with what the model says one
place before it; the reference code compares it with what the model says at its own place, where
the token itself is the input. ``shift=False`` is that.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Axis = Literal["paper", "code", "both"]
IGNORED = -100


def next_item_labels(ids: Tensor, text: Tensor, answer: Tensor, end: int) -> Tensor:
    """int64[b, L]: the tokens that are learned, ``IGNORED`` elsewhere.

    They are the answer's up to the last of its text, and then ``end``: a text ends there, whether
    its picture follows or not, for at inference there is none.

    Args:
        ids: int64[b, L].
        text: bool[b, L], the target's text; something always follows it.
        answer: bool[b, L], the whole answer.
        end: the token that ends an answer.
    """
    places = torch.arange(ids.shape[1], device=ids.device)
    last = torch.where(text, places, -1).amax(1, keepdim=True)
    labels = torch.where(answer & (places <= last), ids, IGNORED)
    return labels.scatter(1, last + 1, end)


def learned_states(hidden: Tensor, labels: Tensor, shift: bool = True) -> tuple[Tensor, Tensor]:
    """The states [m, dim] that say the m learned tokens, and those tokens int64[m].

    Args:
        hidden: [b, L, dim].
        labels: int64[b, L], from ``next_item_labels``.
        shift: the state before a token says it; else the token's own.
    """
    if shift:
        hidden, labels = hidden[:, :-1], labels[:, 1:]
    learned = labels != IGNORED
    return hidden[learned], labels[learned]


def info_nce(given: Tensor, target: Tensor, temperature: float, axis: Axis = "paper") -> Tensor:
    """The mean over b pairs of -log softmax of their cosine over a temperature.

    Args:
        given: [b, d], v^U or v^{T|U}.
        target: [b, d], v^T.
        temperature: tau_c.
        axis: what the denominator sums over. ``paper``: the given vectors, for each target
            (equations 2 and 3); ``code``: the targets, for each given vector; ``both``: the mean of
            the two.

    Raises:
        ValueError: fewer than two pairs, for which the loss is 0 whatever the vectors are.
    """
    if len(given) < 2:
        raise ValueError(
            "a contrastive loss over one pair is 0 and teaches nothing: take a batch_size of 2 or "
            "more, with batch_chunk where memory is short"
        )
    cosine = F.normalize(given, dim=1) @ F.normalize(target, dim=1).T / temperature
    pairs = torch.arange(len(given), device=given.device)
    if axis == "both":
        return (F.cross_entropy(cosine, pairs) + F.cross_entropy(cosine.T, pairs)) / 2
    return F.cross_entropy(cosine.T if axis == "paper" else cosine, pairs)


def mix(
    next_item: Tensor, target_target: Tensor, user_target: Tensor, alpha: float, beta: float
) -> Tensor:
    """Equation 4: (1 - alpha - beta) L_NIG + alpha L_TT + beta L_UT."""
    return (1 - alpha - beta) * next_item + alpha * target_target + beta * user_target
