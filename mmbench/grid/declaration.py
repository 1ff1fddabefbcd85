"""What a plugin's class declares in one preset, as the grid knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, ConfigDict, Field

from mmbench.hookspecs import Published
from mmbench.problems import ILLEGIBLE


def demand_legible(text: str) -> str:
    """The text. Raises ValueError where it holds what no terminal or file should."""
    if ILLEGIBLE.search(text):
        raise ValueError("it holds control characters or halves of characters")
    return text


Name = Annotated[str, Field(max_length=200), AfterValidator(demand_legible)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Sentence = Annotated[str, Field(max_length=2000), AfterValidator(demand_legible)]
EMBEDDINGS = ("embed_items", "embed_queries")
Modality = Annotated[str, Field(pattern="^(image|text)$")]
Unit = Annotated[str, Field(pattern="^(cell|user|item|event)$")]
Embedding = Annotated[str, Field(pattern="^(embed_items|embed_queries)$")]


@dataclass(frozen=True, slots=True)
class Upstream:
    """The field of a Config that names another model, and what it names."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid")

    field: Name
    model: Name


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a model's class says of itself in one preset.

    The limits of texts and numbers are looked at where a plugin's process says this, see
    ``mmbench.grid.replies``.

    Attributes:
        preset: its name.
        config: the whole resolved Config, JSON-able.
        stand_in, size: see ``config.stand_in_size`` and ``config.shown_size``.
        unnamed: the field of a family that names no member; None where nothing is lacking.
        needs: modalities, of ``image`` and ``text``.
        pretrained: the sources of the weights that it loads.
        loss: in a few words.
        seconds: about how long a cell takes, by what it is for.
        max_candidates: how many items it can rate for a query; None for any number.
        per_set: whether it is asked for each candidate set.
        processes: whether several processes can fit it together.
        papers: published figures.
        presets: the names of all.
        known_failures: check to reason.
        embeds: which of the embedding hooks it has.
        transfers, fetches: whether it has these hooks.
        keeps: whether its fit can be kept.
        draws: False where every seed gives the same.
        upstream: the model whose item embeddings it starts from.
        why: why ``auto`` took no preset that comes before; empty where it did not choose.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid")

    preset: Name
    config: dict[str, Any]
    stand_in: Name = ""
    size: Name = ""
    unnamed: Name | None = None
    needs: tuple[Modality, ...] = ()
    pretrained: Annotated[tuple[Sentence, ...], Field(max_length=100)] = ()
    loss: Name | None = None
    seconds: Mapping[Unit, Seconds] = field(default_factory=dict)
    max_candidates: Annotated[int, Field(ge=1)] | None = None
    per_set: bool = False
    processes: bool = False
    papers: Annotated[tuple[Published, ...], Field(max_length=1000)] = ()
    presets: Annotated[tuple[Name, ...], Field(max_length=1000)] = ()
    known_failures: Annotated[dict[Name, Sentence], Field(max_length=100)] = field(
        default_factory=dict
    )
    embeds: tuple[Embedding, ...] = ()
    transfers: bool = False
    fetches: bool = False
    keeps: bool = False
    draws: bool = True
    upstream: Upstream | None = None
    why: Sentence = ""


NOTHING = Declaration(preset="", config={})
"""Of a class that could not be asked."""
