"""What a model's class tells about itself: for people who choose one, not for a cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, ConfigDict, Field

from mmbench.grid.declaration import Modality, Name, Sentence, demand_legible
from mmbench.hookspecs import Published

LONG = 20_000  # characters of a docstring
Text = Annotated[str, Field(max_length=LONG), AfterValidator(demand_legible)]
STRICT = ConfigDict(strict=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of a Config: its type as people write it, its default as JSON, what it means."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Name
    type: Sentence
    default: Any
    meaning: Sentence = ""


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset of a class.

    Attributes:
        name: as in ``sft-ext/tiny``.
        changes: the settings in which it differs from the Config's defaults.
        needs: modalities, of ``image`` and ``text``.
        pretrained: the sources of the weights that it loads.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Name
    changes: dict[str, Any] = field(default_factory=dict)
    needs: tuple[Modality, ...] = ()
    pretrained: Annotated[tuple[Sentence, ...], Field(max_length=100)] = ()

    @property
    def size(self) -> str:
        """The last part of its name."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class About:
    """What a model's class tells about itself.

    Attributes:
        summary: the first sentence of its docstring.
        text: all of it.
        settings: every field of its Config.
        presets: every preset, sorted by name.
        stand_ins: the sizes that say nothing of the real thing.
        papers: variant to published figures, ``""`` for the plain model.
        hooks: those that it has.
        upstream, family, loss, max_candidates, per_set: see ``mmbench.hookspecs``.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    summary: Sentence = ""
    text: Text = ""
    settings: Annotated[tuple[Setting, ...], Field(max_length=1000)] = ()
    presets: Annotated[tuple[Preset, ...], Field(max_length=1000)] = ()
    stand_ins: tuple[Name, ...] = ()
    papers: Mapping[str, tuple[Published, ...]] = field(default_factory=dict)
    hooks: tuple[Name, ...] = ()
    upstream: Name | None = None
    family: Name | None = None
    loss: Name | None = None
    max_candidates: int | None = None
    per_set: bool = False
