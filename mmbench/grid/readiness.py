"""Which presets of a model this machine can run, and what the others lack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmbench.grid.about import About, Preset
from mmbench.grid.config import SMALL, auto_presets
from mmbench.grid.declared import lacking_weights
from mmbench.grid.registry import ModelRef


@dataclass(frozen=True, slots=True)
class Readiness:
    """What ``--preset auto`` takes of a model here, and why nothing that comes before."""

    preset: str
    why: str = ""


def readiness(about: About, name: str, models: Path, gpu: bool) -> Readiness:
    """What ``auto`` takes; ``models`` is the model cache of the plugin's distribution."""
    presets = {preset.name: preset for preset in about.presets}
    order = auto_presets(presets, ModelRef(name), about.stand_ins)
    reasons: list[str] = []
    for option in order:
        lacks = lacking(presets[option], about, models, gpu)
        if not lacks or option == order[-1]:
            return Readiness(option, "; ".join([*reasons, *([lacks] if lacks else [])]))
        reasons.append(f"{option}: {lacks}")
    raise AssertionError("auto_presets names at least one")


def lacking(preset: Preset, about: About, models: Path, gpu: bool) -> str:
    """What a preset lacks here: a CUDA GPU, its weights, or nothing (an empty text)."""
    if about.stand_ins and preset.size not in (SMALL, *about.stand_ins) and not gpu:
        return "no CUDA GPU"
    return lacking_weights(preset.pretrained, models)


def variants(about: About) -> Iterator[str]:
    """The names of variants, each once and without its sizes."""
    sizes = {"paper", SMALL, *about.stand_ins, "tiny"}
    yield from dict.fromkeys(
        name for preset in about.presets if (name := preset.name.partition("/")[0]) not in sizes
    )


def sizes_of(about: About, variant: str = "") -> list[str]:
    """The sizes of the plain model, or of a variant, the real thing first."""
    known = ["paper", SMALL, *dict.fromkeys((*about.stand_ins, "tiny"))]
    names = {preset.name for preset in about.presets}
    if not variant:
        return [size for size in known if size in names]
    return [size for size in known if f"{variant}/{size}" in names or (size == "paper")]
