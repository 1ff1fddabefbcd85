"""From histories to states."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from mmbench_sequential.network import Network
from mmbench_sequential.threads import threads_for

EVENTS = 2048  # padding included, that are encoded at a time: more is slower on a CPU


@torch.inference_mode()
@threads_for(EVENTS)
def embed(network: Network, history: NDArray[np.int32], device: str) -> torch.Tensor:
    """float32[b, e]: the queries in the space of ``network.table()``.

    Queries of like length are encoded together, trimmed to the longest of them. So a state's last
    bits depend on what else is asked; ties of items do not, for the harness multiplies.
    """
    network.eval()
    events = _at_width(history, network.max_history)
    length = (events > 0).sum(axis=1)
    answer = torch.empty(len(events), network.table().shape[1], device=device)
    order = np.argsort(-length, kind="stable")
    start = 0
    while start < len(order):
        width = network.max_history if network.fixed_width else max(int(length[order[start]]), 1)
        index = order[start : start + max(EVENTS // width, 1)]
        rows = torch.from_numpy(events[index, -width:]).to(device)
        answer[torch.from_numpy(index).to(device)] = network.queries(network(rows)[:, -1])
        start += len(index)
    return answer


def _at_width(history: NDArray[np.int32], width: int) -> NDArray[np.int64]:
    """The last ``width`` events, left-padded to that many columns."""
    kept = history[:, -width:]
    return np.pad(kept, ((0, 0), (width - kept.shape[1], 0))).astype(np.int64)
