"""EfficientNet-Lite0 for pictures, with real weights or random ones. Importing this loads torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import normalize

from mmbench.toolkit.efficientnet import EfficientNetLite0, to_pixels

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Float32 = NDArray[np.float32]

SEED = 0  # no run's chance: one answer


def lite0_tower(network: EfficientNetLite0, device: str, side: int) -> Callable[..., Any]:
    """A function from a batch of pictures to float32[m, 1280]: unit means over the grid.

    Args:
        network: as ``load_lite0`` gives it.
        device: where it is, in torch's words.
        side: pixels that a picture is brought to.
    """

    @torch.inference_mode()
    def encode(pictures: Sequence[Picture]) -> Float32:
        features = network.pooled(to_pixels(pictures, side).to(device))
        found: Float32 = normalize(features, dim=1).cpu().numpy()
        return found

    return encode


def build_lite0() -> EfficientNetLite0:
    """An EfficientNet-Lite0 whose random weights keep a signal's size from layer to layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = EfficientNetLite0()
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
    return network.requires_grad_(False).eval()
