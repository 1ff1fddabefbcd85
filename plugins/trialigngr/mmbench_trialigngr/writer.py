"""The language model that writes ids: its prompts in tokens, its loss, and its answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mmbench import Run, vlm
from mmbench.toolkit import semantic_ids
from mmbench_trialigngr.catalogue import Assets
from mmbench_trialigngr.configs import Task, TriAlignConfig
from mmbench_trialigngr.draws import Draw
from mmbench_trialigngr.tasks import SEQUENCES, Told, corpus, write

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]

KEPT = 4_000_000  # tokens of encoded examples that stay in memory, some 50 bytes each


class IdWriter:
    """A backbone that knows a catalogue's ids.

    Attributes:
        backbone: what reads and writes.
        told: what prompts tell of items.
        trie: of the ids, with the token that ends an answer.
    """

    def __init__(
        self, config: TriAlignConfig, assets: Assets, ids: semantic_ids.SemanticIds, run: Run
    ) -> None:
        self.config = config
        texts = assets.texts
        codes = ids.codes.astype(np.int64)
        plain = Told(codes, texts["title"], texts["interests"], texts["caption"])
        self.backbone = vlm.load_backbone(
            config, run, texts=corpus(plain, config.style), tokens=vlm.code_tokens(ids.sizes)
        )
        vlm.write_tokens(self.backbone)
        entries = vlm.code_ids(self.backbone, ids.codes[1:], ids.sizes)
        if config.family:
            spread_rows(self.backbone, run.seed)
        padded = np.concatenate([np.zeros((1, entries.shape[1]), np.int64), entries])
        self.told = Told(padded, plain.titles, plain.interests, plain.captions)
        self.trie = vlm.Trie(entries, end=self.backbone.end)
        self._encoded: dict[Draw, vlm.Encoded] = {}
        self._kept = 0

    def write(self, task: Task, history: Sequence[int], item: int | None) -> vlm.Prompt:
        """A prompt, with as many of the latest events as ``max_tokens`` leaves room for."""
        return self._fit(task, history, item)[0]

    def encode(self, draw: Draw) -> vlm.Encoded:
        """The tokens of an example; remembered, for tasks about items come again and again."""
        if draw not in self._encoded:
            _, encoded = self._fit(draw.task, draw.history, draw.item)
            if self._kept + len(encoded) > KEPT:
                self._encoded, self._kept = {}, 0
            self._encoded[draw] = encoded
            self._kept += len(encoded)
        return self._encoded[draw]

    def _fit(
        self, task: Task, history: Sequence[int], item: int | None
    ) -> tuple[vlm.Prompt, vlm.Encoded]:
        shown = list(history)[-self.config.max_history :]
        while True:
            prompt = write(task, self.told, shown, item, self.config.style)
            encoded = self.backbone.encode(prompt)
            if task not in SEQUENCES or not shown or len(encoded) <= self.config.max_tokens:
                return prompt, encoded
            shown = shown[1:]

    def batch(self, draws: Sequence[Draw]) -> vlm.Batch:
        """Examples as a batch."""
        return self.backbone.batch([self.encode(draw) for draw in draws])

    def search(
        self, histories: Sequence[Sequence[int]], excluded: Int32 | None
    ) -> tuple[Int32, Float32]:
        """Items and log-probabilities of what the beams reach after each history."""
        return vlm.beam_search(
            self.backbone,
            [self.write("next", history, None) for history in histories],
            self.trie,
            beams=self.config.beams,
            excluded=excluded,
            batch_size=self.config.decode_batch,
        )

    def rate(self, histories: Sequence[Sequence[int]], candidates: Int32 | None = None) -> Float32:
        """float32[b, c]: the log-probability of each candidate, or of every item."""
        return vlm.exact_scores(
            self.backbone,
            [self.write("next", history, None) for history in histories],
            self.trie,
            candidates=candidates,
            batch_size=self.config.decode_batch,
        )


def spread_rows(backbone: vlm.Backbone, seed: int) -> None:
    """Start the new tokens of a tiny model as its other tokens: at random.

    New rows start near the mean of the others, which suits a table that means something. In one of
    random weights they are alike then, and a fit of minutes hardly tells them apart.
    """
    table = backbone.model.get_input_embeddings().weight
    rows = backbone.tokenizer.convert_tokens_to_ids(list(backbone.tokens))
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(len(rows), table.shape[1], generator=generator)
    with torch.no_grad():
        table[rows] = (drawn * backbone.dim**-0.5).to(table)


class Objective(nn.Module):
    """The backbone with the loss of a batch of examples, the same for all tasks."""

    def __init__(self, backbone: vlm.Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, batch: vlm.Batch) -> Tensor:
        """The mean cross entropy of the answers' tokens, those that end them among them."""
        batch = batch.to(self.backbone.device)
        states = self.backbone(batch)[:, :-1][batch.answer[:, 1:]]
        return F.cross_entropy(self.backbone.logits(states), batch.ids[batch.answer])
