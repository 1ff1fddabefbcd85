"""A whole plugin on the toolkit: contrastive embeddings of histories and items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from mmbench import Interactions, Items, Queries, Run, hookimpl, vlm
from mmbench.views import Float32


@dataclass(frozen=True)
class Config(vlm.BackboneConfig, vlm.TrainingConfig):
    max_history: int = 10
    temperature: float = 0.1


class Contrast(nn.Module):
    """InfoNCE of histories and their next items, negatives from the batch."""

    def __init__(self, backbone: vlm.Backbone, temperature: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.temperature = temperature

    def forward(self, sides):
        query, item = (
            normalize(vlm.last_token(self.backbone(side), side.attended), dim=-1) for side in sides
        )
        return cross_entropy(
            query @ item.T / self.temperature, torch.arange(len(query), device=query.device)
        )


class OneWord:
    """Describes items, and histories, in one word, and compares the words."""

    Config = Config
    needs = frozenset({"text"})
    presets = {
        "paper": Config(backbone="Qwen/Qwen2.5-VL-3B-Instruct", quantization="nf4", image_size=224),
        "tiny": Config(
            backbone="tiny:smolvlm",
            trained="language",
            image_size=28,
            learning_rate=3e-3,
            epochs=12,
            batch_size=32,
            chat=False,
        ),
    }

    def __init__(self, config: Config) -> None:
        self.config = config

    @hookimpl
    def fetch(self, cache):
        vlm.fetch(self.config, cache)

    @hookimpl
    def fit(self, train: Interactions, items: Items, run: Run) -> None:
        with vlm.seeded(run):
            self.titles = items.fields["title"]
            self.backbone = vlm.load_backbone(self.config, run, texts=self.titles)
            self.pictures = vlm.Pictures(self.backbone, items.images)
            examples = [
                (self.encode(row[:-1].tolist()), self.encode(row[-1:].tolist()))
                for row in train.sequences()
                if len(row) > 1
            ]
            vlm.train(
                Contrast(self.backbone, self.config.temperature),
                examples,
                self.collate,
                self.config,
                run,
                lengths=[len(history) for history, _ in examples],
                refresh=self.embed_catalogue,
            )

    def prompt(self, history: list[int]) -> vlm.Prompt:
        parts: list = ["Describe these items in one word: "]
        for item in history[-self.config.max_history :]:
            parts += [self.titles[item], *[vlm.Image(item)] * (item in self.pictures), ", "]
        return vlm.Prompt(parts)

    def encode(self, history: list[int]) -> vlm.Encoded:
        return self.backbone.encode(self.prompt(history))

    def collate(self, pairs, rng):
        return [self.backbone.batch(side, self.pictures) for side in zip(*pairs, strict=True)]

    def embed_catalogue(self) -> None:
        prompts = [self.prompt([item]) for item in range(1, len(self.titles))]
        self.catalogue = unit(vlm.embed(self.backbone, prompts, self.pictures))

    @hookimpl
    def score(self, queries: Queries) -> Float32:
        prompts = [self.prompt(row[row > 0].tolist()) for row in queries.history]
        return unit(vlm.embed(self.backbone, prompts, self.pictures)) @ self.catalogue.T


def unit(vectors: Float32) -> Float32:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
