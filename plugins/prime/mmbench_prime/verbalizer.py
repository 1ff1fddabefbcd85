"""The labels of candidates: each is one token, so one forward pass rates them all (section 3.2.3).

The paper's are the letters A, B, C ... Beyond 26 the reference code leaves the alphabet and takes
whatever characters follow; here other labels are looked for that the tokenizer knows as one token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from string import ascii_lowercase, ascii_uppercase

import torch
from torch import Tensor


def possible_labels() -> Iterator[str]:
    """Letters, then pairs of letters, numbers and small letters."""
    yield from ascii_uppercase
    yield from ("".join(pair) for pair in product(ascii_uppercase, repeat=2))
    yield from map(str, range(1000))
    yield from ascii_lowercase


def choose_labels(count: int, tokenise: Callable[[str], Sequence[int]]) -> dict[str, int]:
    """The first ``count`` labels that are single tokens, all different: label to token.

    Args:
        count: how many.
        tokenise: a text to its token ids.

    Raises ValueError where the tokenizer knows too few.
    """
    labels: dict[str, int] = {}
    for label in possible_labels():
        if len(labels) == count:
            break
        tokens = tokenise(label)
        if len(tokens) == 1 and tokens[0] not in labels.values():
            labels[label] = tokens[0]
    if len(labels) < count:
        raise ValueError(
            f"topk is {count}, and the tokenizer has only {len(labels)} labels that are one token "
            "each; take fewer candidates"
        )
    return labels


def read_labels(logits: Tensor, tokens: Sequence[int]) -> Tensor:
    """float32[b, k]: log-probabilities of k labels among themselves.

    Args:
        logits: float[b, vocabulary], of the token that would come next.
        tokens: the labels'.
    """
    chosen = logits[:, torch.as_tensor(tokens, device=logits.device)]
    return torch.log_softmax(chosen.float(), dim=1)
