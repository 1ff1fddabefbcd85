"""Users that RecBole has no number for."""

from __future__ import annotations

import numpy as np
import torch

from mmbench_recbole.world import World


def settle(model: torch.nn.Module, world: World) -> None:
    """Prepare a model for scoring after its weights changed.

    User 0, which stands for every user without a training event, is never trained; each table of
    users gets the mean of its trained rows there. And the embeddings that graph models keep from
    their last forward pass are dropped.
    """
    trained = torch.from_numpy(np.unique(world.user))
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Embedding) and module.num_embeddings == world.user_num:
                module.weight[0] = module.weight[trained.to(module.weight.device)].mean(dim=0)
    for name in vars(model):
        if name.startswith("restore_"):
            setattr(model, name, None)
