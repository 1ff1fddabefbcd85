"""The loss of a batch, and how each modality's gradient is aligned with the joint one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mmbench import vlm
from mmbench_vlm2rec import losses
from mmbench_vlm2rec.configs import Config
from mmbench_vlm2rec.embedder import fuse

MODALITIES = ("text", "image")
Sides = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Vectors:
    """Users and targets of a batch: [b, d] for each view."""

    users: Mapping[str, Tensor]
    items: Mapping[str, Tensor]


class Penalty(nn.Module):
    """alpha and beta of equation 9, learned, kept positive as softplus of what is learned."""

    def __init__(self, alpha: float, beta: float) -> None:
        super().__init__()
        self.raw_alpha = nn.Parameter(torch.tensor(_inverse_softplus(alpha)))
        self.raw_beta = nn.Parameter(torch.tensor(_inverse_softplus(beta)))

    @property
    def alpha(self) -> Tensor:
        """How fast the penalty rises with the gap."""
        return nn.functional.softplus(self.raw_alpha)

    @property
    def beta(self) -> Tensor:
        """How much it weighs."""
        return nn.functional.softplus(self.raw_beta)


class Objective(nn.Module):
    """The backbone with its loss: ``objective(sides)`` returns the loss and what is logged.

    ``sides`` holds ``users`` and ``items``, a ``Batch`` for each view, and ``negative``,
    bool[b, b].
    """

    def __init__(self, backbone: vlm.Backbone, config: Config) -> None:
        super().__init__()
        self.backbone = backbone
        self.settings = config  # the Trainer writes into a module's `config`
        self.penalty = Penalty(config.alpha, config.beta) if config.contrast == "wpcl" else None

    def forward(self, sides: Sides) -> dict[str, Tensor]:
        """``loss`` and its parts, scalars."""
        return self.judge(self.read(sides), sides["negative"])

    def read(self, sides: Sides) -> Vectors:
        """The last token of each prompt."""
        return Vectors(
            *(
                {
                    view: vlm.last_token(self.backbone(batch), batch.attended)
                    for view, batch in sides[side].items()
                }
                for side in ("users", "items")
            )
        )

    def judge(self, vectors: Vectors, negative: Tensor) -> dict[str, Tensor]:
        """Equation 14, with what tells how the modalities stand to each other."""
        settings, negative = self.settings, negative.to(self.backbone.device)
        fused = losses.cosines(*self._fused(vectors, settings.views))
        if settings.fusion != "external":
            loss = losses.contrastive(
                fused, negative, settings.temperature, reduction=settings.reduction
            )
            return {"loss": loss}
        each = {m: losses.cosines(vectors.users[m], vectors.items[m]) for m in MODALITIES}
        margin = {m: losses.margins(each[m], negative) for m in MODALITIES}
        told = {f"{m} margin": margin[m].mean() for m in MODALITIES}
        lengths = [vectors.users[m].norm(dim=-1).mean() for m in MODALITIES]
        told["text norm / image norm"] = lengths[0] / lengths[1]
        loss = fused.new_zeros(())
        if settings.contrast != "none":
            weight = self._weight(margin)
            if weight is not None:
                told["penalty"] = weight.mean()
            told["contrastive"] = losses.contrastive(
                fused, negative, settings.temperature, weight, settings.reduction
            )
            loss = loss + told["contrastive"]
        if settings.topology_weight:
            told["crtr"] = losses.topology(
                each["text"], each["image"], settings.topology_temperature
            )
            loss = loss + settings.topology_weight * told["crtr"]
        return {"loss": loss, **told}

    def alone(self, vectors: Vectors, negative: Tensor, modality: str) -> Tensor:
        """The contrastive loss of one modality's vectors; with nothing to compare, unweighted."""
        similarity = losses.cosines(vectors.users[modality], vectors.items[modality])
        return losses.contrastive(
            similarity,
            negative.to(similarity.device),
            self.settings.temperature,
            reduction=self.settings.reduction,
        )

    def _weight(self, margin: Mapping[str, Tensor]) -> Tensor | None:
        if self.penalty is None:
            return None
        gap = losses.modality_gap(margin["text"], margin["image"], self.settings.stop_gradient)
        return losses.penalty(gap, self.penalty.alpha, self.penalty.beta, self.settings.centred)

    def _fused(self, vectors: Vectors, views: Sequence[str]) -> list[Tensor]:
        return [
            fuse([side[view] for view in views], self.settings.normalised)
            for side in (vectors.users, vectors.items)
        ]


def alignment(objective: Objective, sides: Sides) -> dict[str, float]:
    """The cosine of the joint update with what each modality alone would ask for (section 3).

    ``g_total`` is the gradient of the whole loss in the backbone's trained weights, ``g_m`` that of
    the contrastive loss where modality ``m``'s vectors stand in for the fused ones. Neither
    weights, nor their ``.grad``, nor the streams of chance are changed.
    """
    weights = [weight for weight in objective.backbone.parameters() if weight.requires_grad]
    device = objective.backbone.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        vectors, negative = objective.read(sides), sides["negative"]
        total = _gradient(objective.judge(vectors, negative)["loss"], weights)
        found = {}
        for modality in MODALITIES:
            own = _gradient(objective.alone(vectors, negative, modality), weights)
            found[f"gradient {modality}"] = _cosine(total, own)
    return found


def _gradient(loss: Tensor, weights: Sequence[Tensor]) -> list[Tensor | None]:
    return list(torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True))


def _cosine(left: Sequence[Tensor | None], right: Sequence[Tensor | None]) -> float:
    """Of two gradients; 0 where one of them is nothing but zeros."""
    dot, first, second = 0.0, 0.0, 0.0
    for a, b in zip(left, right, strict=True):
        first += 0.0 if a is None else float(a.double().square().sum())
        second += 0.0 if b is None else float(b.double().square().sum())
        if a is not None and b is not None:
            dot += float((a.double() * b.double()).sum())
    return dot / math.sqrt(first * second) if first and second else 0.0


def _inverse_softplus(value: float) -> float:
    return value + math.log(-math.expm1(-value))
