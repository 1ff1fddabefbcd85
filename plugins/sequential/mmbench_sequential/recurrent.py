"""GRU4Rec: a gated recurrent network over the history, sized as RecBole's."""

from __future__ import annotations

import torch
from torch import nn

from mmbench_sequential.configs import GRU4RecConfig
from mmbench_sequential.dropout import Dropout
from mmbench_sequential.network import Network


class GRU4Rec(Network):
    """Item vectors through GRU layers and a linear map back to the items' space.

    The GRU has no biases and the padding's vector is 0, so from a state of 0 padding leads to a
    state of 0, exactly: padding on the left is as if it were not there.
    """

    def __init__(self, n_items: int, config: GRU4RecConfig) -> None:
        super().__init__(n_items, config.dim, config.max_history)
        self.dropout = Dropout(config.dropout)
        self.gru = nn.GRU(config.dim, config.hidden, config.layers, bias=False, batch_first=True)
        self.outward = nn.Linear(config.hidden, config.dim)
        nn.init.xavier_normal_(self.items.weight)
        with torch.no_grad():
            self.items.weight[0] = 0
        for weight in self.gru.parameters():
            nn.init.xavier_uniform_(weight)

    def forward(self, history: torch.Tensor) -> torch.Tensor:
        states, _ = self.gru(self.dropout(self.items(history)))
        answer: torch.Tensor = self.outward(states)
        return answer
