"""Prompts that are read once, and many continuations of each, which share what they begin with.

A prompt's keys and values stand in memory once, however many continuations there are: those of a
prompt lie behind it in one row, token after token, and a mask lets each token see the prompt, the
tokens that it continues, and itself (tree attention; Miao et al., 2024, SpecInfer). Nothing is
copied or put into another order, as it is where each continuation has a row of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmbench.views import Int64
from mmbench.vlm.backbones import Backbone
from mmbench.vlm.batches import Batch
from mmbench.vlm.generation import CACHE
from mmbench.vlm.openings import Opened

LOGITS_BYTES = 256 * 1024**2  # of logits over the whole vocabulary that stand in memory at a time
MASKED = {"sdpa", "eager"}  # ways to attend that take a mask of any form


class Branches:
    """b prompts in the cache of a backbone, and tokens that continue them.

    Tokens are grown a layer at a time. The layer that was grown last is the front; its tokens are
    what the next layer's continue.

    Attributes:
        states: [n, dim], the last layer's states of the front; at first those of the prompts' last
            tokens.
    """

    def __init__(self, backbone: Backbone, opened: Opened) -> None:
        self._backbone = backbone
        self._cache, self._prompts = opened.cache, opened.attended
        axes = opened.positions  # all go on from the highest
        self._axes, self._last = axes.shape[:-1], axes.amax(0) if axes.ndim == 2 else axes
        self._start = opened.states
        # which tokens behind the prompts each of the front sees; a prompt's last sees none
        self._lines = torch.zeros(len(self), 0, dtype=torch.bool, device=self._start.device)
        self.states, self._depth = self._start, 0

    def __len__(self) -> int:
        return len(self._prompts)

    def cut(self) -> None:
        """Take away all tokens but the prompts'."""
        if self._depth:
            self._cache.crop(-self._lines.shape[1])
        self._lines = self._lines.new_zeros(len(self), 0)
        self.states, self._depth = self._start, 0

    def grow(self, owner: Int64, tokens: Int64, before: Int64) -> None:
        """Read a token behind each of some tokens of the front; they are the front then.

        Args:
            owner: int64[n], rising: the prompt of each new token.
            tokens: int64[n].
            before: int64[n]: the place in the front of the token that each continues.

        Raises ValueError where attention slides, and would lose sight of the prompts' beginnings.
        """
        device = self._start.device
        count = np.bincount(owner, minlength=len(self))
        width = int(count.max())
        column = np.arange(len(owner)) - (np.cumsum(count) - count)[owner]
        place = torch.from_numpy(owner).to(device), torch.from_numpy(column).to(device)
        self._demand_sight(width)

        ids = torch.full((len(self), width), self._backbone.pad, device=device)
        ids[place] = torch.from_numpy(tokens).to(device)
        grown = self._lines.shape[1]
        lines = torch.nn.functional.pad(
            self._lines[torch.from_numpy(before).to(device)], (0, width)
        )
        lines[torch.arange(len(lines), device=device), grown + place[1]] = True
        # what stands in for tokens where a row has fewer sees its prompt, and is seen by none
        sees = torch.zeros(len(self), width, grown + width, dtype=torch.bool, device=device)
        sees[place] = lines
        prompts = self._prompts[:, None].expand(-1, width, -1)
        self._depth += 1
        position = (self._last + self._depth)[:, None].expand(-1, width)
        batch = Batch(
            ids=ids,
            attended=self._as_mask(torch.cat([prompts, sees], 2)[:, None]),
            positions=position.expand(*self._axes, *position.shape),
            answer=torch.ones_like(ids, dtype=torch.bool),
            pictured=torch.zeros_like(ids, dtype=torch.bool),
            spans={},
        )
        with _any_mask(self._backbone):
            read = self._backbone.run_language(batch, use_cache=True, **{CACHE: self._cache})
        self.states, self._lines = read.last_hidden_state[place], lines

    def log_probabilities(self, rows: Int64, tokens: Int64) -> NDArray[np.float64]:
        """float64[m]: of tokens after tokens of the front, among the whole vocabulary.

        Logits of all tokens of the vocabulary are there for some rows at a time only.

        Args:
            rows: int64[m], rising: the places in the front.
            tokens: int64[m].

        Raises FloatingPointError where the model returns what is not finite.
        """
        backbone, device = self._backbone, self.states.device
        vocabulary = int(_text_config(backbone).vocab_size)
        step = max(LOGITS_BYTES // (4 * vocabulary), 1)
        found = np.empty(len(rows))
        for start in range(0, len(self.states), step):
            part = slice(*np.searchsorted(rows, [start, start + step]))
            if part.start == part.stop:
                continue
            logits = backbone.logits(self.states[start : start + step])
            row = torch.from_numpy(rows[part] - start).to(device)
            chosen = logits[row, torch.from_numpy(tokens[part]).to(device)].double()
            whole = torch.logsumexp(logits, 1).double()
            found[part] = (chosen - whole[row]).cpu().numpy()
        if not np.isfinite(found).all():
            raise FloatingPointError(
                "the model's log-probabilities are not finite; did its training diverge?"
            )
        return found

    def _as_mask(self, sees: Tensor) -> Tensor:
        """A mask as the attention wants it."""
        if _text_config(self._backbone)._attn_implementation != "eager":
            return sees
        dtype = self._backbone.arithmetic
        hidden = torch.full((), torch.finfo(dtype).min, dtype=dtype, device=sees.device)
        return torch.where(sees, torch.zeros_like(hidden), hidden)

    def _demand_sight(self, width: int) -> None:
        config = _text_config(self._backbone)
        slides = "sliding_attention" in (getattr(config, "layer_types", None) or ())
        length = self._prompts.shape[1] + self._lines.shape[1] + width
        if slides and length > config.sliding_window:
            raise ValueError(
                f"{self._backbone.config.backbone} attends to the last {config.sliding_window} "
                f"tokens, and prompts with their continuations have {length}: show fewer items "
                "(max_history), or take fewer beams or a smaller chunk"
            )


def _text_config(backbone: Backbone) -> Any:
    return backbone.model.config.get_text_config()


@contextmanager
def _any_mask(backbone: Backbone) -> Iterator[None]:
    """Meanwhile attention takes a mask of any form, which flash attention does not."""
    config = _text_config(backbone)
    usual = config._attn_implementation
    config._attn_implementation = usual if usual in MASKED else "sdpa"
    try:
        yield
    finally:
        config._attn_implementation = usual
