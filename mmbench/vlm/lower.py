"""The states below the layers that are trained: what never changes is computed once a prompt.

With adapters on the top k layers alone (``lora_layers``), the layers below make the same of a
prompt in each epoch, in each validation and with each seed. Their states are kept by the prompt's
content, and a forward pass runs the top layers only::

    lower = vlm.lower_states(backbone, pictures, run.encodings)
    batch = backbone.batch(encoded, pictures, lower=lower)
    vectors = vlm.embed(backbone, prompts, pictures, lower=lower)

A token takes ``dim`` numbers in the precision of the weights: of SmolLM2-135M in float32 2,304
bytes, so 3,400 titles of 30 tokens and 600 histories of 200 take half a gigabyte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from mmbench.toolkit import encodings
from mmbench.vlm.kept import Kept
from mmbench.vlm.pictures import Pictures
from mmbench.vlm.prompts import Encoded

if TYPE_CHECKING:
    from mmbench.vlm.backbones import Backbone


class LowerStates:
    """States of prompts below the trained layers."""

    def __init__(self, backbone: Backbone, pictures: Pictures | None, folder: Path | None) -> None:
        self._backbone = backbone
        self._pictures = pictures
        self._kept = Kept(folder, {"part": "lower states", **backbone.lower_identity()})

    def take(self, encoded: Sequence[Encoded]) -> list[Tensor]:
        """[n_i, dim] for each prompt of n_i tokens, on the CPU; those that are new are computed.

        Raises ValueError where a prompt shows a picture that is not there.
        """
        contents = [self._content(prompt) for prompt in encoded]
        new = {
            content: prompt
            for content, prompt in zip(contents, encoded, strict=True)
            if content not in self._kept
        }
        if new:
            batch = self._backbone.batch(list(new.values()), self._pictures, still=True)
            with torch.inference_mode():
                states = self._backbone.run_lower(batch)
            for content, row in zip(new, states, strict=True):
                self._kept.put(content, row[len(row) - len(new[content]) :])
        return [self._kept.take(content) for content in contents]

    def flush(self) -> None:
        """Put what is new on the disk. Raises OSError."""
        self._kept.flush()

    def _content(self, prompt: Encoded) -> str:
        """All that the states depend on; the answer, where attention is not causal."""
        seen = self._pictures
        pictures = [seen.content(item) for item in prompt.images] if seen is not None else []
        answer = prompt.answer.tobytes() if self._backbone.family.prefix else b""
        return encodings.digest(prompt.ids.tobytes(), answer, *pictures)


def lower_states(
    backbone: Backbone, pictures: Pictures | None, folder: Path | None = None
) -> LowerStates | None:
    """The states below the trained layers; nothing where no layer stands still.

    Args:
        backbone: which reads.
        pictures: what its prompts show.
        folder: ``run.encodings`` to keep states on the disk; without it, in memory.
    """
    return LowerStates(backbone, pictures, folder) if backbone.still_layers else None


@contextmanager
def upper_layers(language: Any, given: Tensor, still: int) -> Iterator[None]:
    """Meanwhile the lowest ``still`` layers answer ``given`` and compute nothing."""
    layers = language.layers
    below: list[nn.Module] = [_Pass() for _ in range(still - 1)]
    language.layers = nn.ModuleList([*below, _Given(given), *layers[still:]])
    try:
        yield
    finally:
        language.layers = layers


@contextmanager
def lower_layers(language: Any, still: int) -> Iterator[list[Tensor]]:
    """Meanwhile only the lowest ``still`` layers compute; their states are put into the list."""
    layers, caught = language.layers, _Catch()
    above: list[nn.Module] = [_Pass() for _ in range(len(layers) - still - 1)]
    language.layers = nn.ModuleList([*layers[:still], caught, *above])
    try:
        yield caught.states
    finally:
        language.layers = layers


class _Pass(nn.Module):
    """In the place of a layer; does nothing."""

    def forward(self, states: Tensor, *_: Any, **__: Any) -> Tensor:
        return states


class _Given(nn.Module):
    """In the place of a layer; returns what is known already."""

    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self.states = states

    def forward(self, *_: Any, **__: Any) -> Tensor:
        return self.states


class _Catch(nn.Module):
    """In the place of a layer; keeps what comes to it."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[Tensor] = []

    def forward(self, states: Tensor, *_: Any, **__: Any) -> Tensor:
        self.states.append(states)
        return states
