"""The ranker: a backbone that reads a history and labelled candidates, and says a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mmbench import Items, Run, vlm
from mmbench_prime.configs import PrimeConfig
from mmbench_prime.prompts import LABEL, Writer
from mmbench_prime.shared import read_shared
from mmbench_prime.verbalizer import choose_labels, possible_labels, read_labels

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Task:
    """A history, oldest first, and the candidates in the order in which they are labelled."""

    history: tuple[int, ...]
    candidates: tuple[int, ...]


class Ranker:
    """Rates candidates of a catalogue's items.

    Args:
        config: backbone, prompts and how many candidates there are.
        items: the catalogue.
        run: seed, device, folders.

    Raises:
        ValueError: pictures are asked of a backbone that only reads, or too many candidates of a
            tokenizer.
    """

    def __init__(self, config: PrimeConfig, items: Items, run: Run) -> None:
        self.config, self.run = config, run
        plain = Writer(items, config.attributes, config.style, str, lambda item: False)
        letters = [label for label, _ in zip(possible_labels(), range(config.topk), strict=False)]
        texts = plain.corpus(letters)
        self.backbone = vlm.load_backbone(config, run, texts=texts, items=items)
        if config.sees and self.backbone.family.vision is None:
            raise ValueError(
                f"{config.backbone} sees no pictures: leave image out of attributes, as in "
                "attributes=title,price,brand,categories"
            )
        found = choose_labels(
            config.topk,
            lambda text: self.backbone.tokenizer(text, add_special_tokens=False).input_ids,
        )
        self.labels, self.tokens = list(found), list(found.values())
        self.open(items)

    def open(self, items: Items) -> None:
        """From now on, numbers of items are those of this catalogue."""
        config, cut = self.config, self.backbone.cut
        self.n_items = items.n_items
        # a tiny model's eyes are another's with every seed: not worth a place on the disk
        folder = None if config.family else self.run.encodings
        self.pictures = vlm.Pictures(self.backbone, items.images if config.sees else None, folder)
        most = config.attribute_tokens
        self.writer = Writer(
            items,
            config.attributes,
            config.style,
            lambda text: cut(text, most) if most else text,
            self.pictures.__contains__,
        )

    def encode(self, task: Task, target: int | None = None) -> vlm.Encoded:
        """A task in tokens: without ``target`` up to where the label comes, else with it.

        The oldest events are left out where there are more than ``max_tokens``.
        """
        labels = self.labels[: len(task.candidates)]
        answer = self.labels[task.candidates.index(target) if target is not None else 0]
        history = task.history[-self.config.max_history :]
        while True:
            prompt = self.writer.write(history, labels, task.candidates, answer)
            encoded = self.backbone.encode(prompt)
            if len(encoded) <= self.config.max_tokens or not history:
                break
            history = history[1:]
        return encoded if target is not None else before_label(encoded)

    def item_tokens(self) -> NDArray[np.int64]:
        """int64[n_items + 1]: about how many tokens each item takes, its label not counted."""
        empty = len(self.backbone.encode(vlm.Prompt(["x"])))
        found = [0] * (self.n_items + 1)
        for item in range(1, self.n_items + 1):
            parts = [*self.writer.describe(item), "\n"]
            found[item] = len(self.backbone.encode(vlm.Prompt(parts))) - empty
        return np.array(found, dtype=np.int64)

    def rank(self, tasks: Sequence[Task]) -> list[Float32]:
        """For each task, the log-probabilities of its candidates among themselves, float32[c].

        One forward pass of each prompt; those of one history share it, see ``read_shared``.
        """
        training = self.backbone.training
        self.backbone.eval()
        groups: dict[tuple[int, ...], list[int]] = {}
        for number, task in enumerate(tasks):
            groups.setdefault(task.history, []).append(number)
        alone = [numbers[0] for numbers in groups.values() if len(numbers) == 1]
        together = [numbers for numbers in groups.values() if len(numbers) > 1]
        found: list[Float32] = [np.zeros(0, np.float32)] * len(tasks)
        encoded = {number: self.encode(tasks[number]) for n in groups.values() for number in n}

        def note(numbers: Sequence[int], states: Tensor) -> None:
            logits = self.backbone.logits(states)
            for number, row in zip(numbers, logits, strict=True):
                count = len(tasks[number].candidates)
                rated = read_labels(row[None], self.tokens[:count])[0]
                found[number] = rated.cpu().numpy()

        size = self.config.rank_batch
        try:
            with torch.inference_mode():
                alone.sort(key=lambda number: -len(encoded[number]))
                for start in range(0, len(alone), size):
                    part = alone[start : start + size]
                    batch = self.backbone.batch(
                        [encoded[number] for number in part], self.pictures, still=True
                    )
                    note(part, self.backbone(batch)[:, -1])
                together.sort(key=lambda numbers: -len(encoded[numbers[0]]))
                for start in range(0, len(together), size):
                    several = together[start : start + size]
                    rows = [[encoded[number] for number in numbers] for numbers in several]
                    states = read_shared(self.backbone, rows, self.pictures)
                    note([number for numbers in several for number in numbers], states)
        finally:
            self.backbone.train(training)
        return found


def before_label(encoded: vlm.Encoded) -> vlm.Encoded:
    """A prompt up to the token that comes before the label: the label is what comes next."""
    stop = int(np.argmax(encoded.spans[LABEL]))
    return replace(
        encoded,
        ids=encoded.ids[:stop],
        positions=encoded.positions[..., :stop],
        answer=encoded.answer[:stop],
        pictured=encoded.pictured[:stop],
        spans={},
    )


class Objective(nn.Module):
    """The backbone with the loss of a batch of prompts with their labels."""

    def __init__(self, backbone: vlm.Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, batch: vlm.Batch) -> Tensor:
        """The mean cross entropy of the label and of the token that ends the answer."""
        batch = batch.to(self.backbone.device)
        said = said_tokens(batch, self.backbone.end)
        states = self.backbone(batch)[:, :-1][said[:, 1:]]
        return F.cross_entropy(self.backbone.logits(states), batch.ids[said])


def said_tokens(batch: vlm.Batch, end: int) -> Tensor:
    """bool[b, L]: the label of each prompt and the token that ends its answer."""
    found: Tensor = batch.spans[LABEL] | (batch.answer & (batch.ids == end))
    return found
