"""Fetching a model's pretrained weights before anything is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mmbench.files import temporary_folder
from mmbench.grid.declared import Description, describe_all
from mmbench.grid.fetch import fetch_for, models_folder, named_paths
from mmbench.grid.host import PluginFailure
from mmbench.grid.registry import ModelRef
from mmbench.grid.runner import Circumstances
from mmbench.grid.weights import identify
from mmbench.toolkit.weights import WeightsError, require


@dataclass(frozen=True, slots=True)
class Brought:
    """Weights of a model, and where they are, or why not.

    Attributes:
        model: as it was asked for, or as another model names it.
        preset: its preset.
        source: see ``mmbench.toolkit.weights``; empty where the model names none.
        identity: ``commit:...`` or ``sha256:...``.
        path: the folder or file that is loaded.
        problem: why it is not here.
    """

    model: str
    preset: str
    source: str = ""
    identity: str = ""
    path: str = ""
    problem: str = ""


def bring(
    ref: ModelRef,
    preset: str,
    settings: Mapping[str, str],
    how: Circumstances,
    say: Callable[[str], None] = lambda text: None,
) -> list[Brought]:
    """Fetch the weights of a model and of those that it starts from; what is there stays.

    Args:
        ref: the model.
        preset: as ``Grid.preset``.
        settings: of the model.
        how: limits and places.
        say: told what is fetched.

    Raises UsageError: no such model, preset or setting.
    """
    given = [(ref.name, key, value) for key, value in settings.items()]
    described = describe_all([ref], given, preset, how.isolated, how.cache)
    found: list[Brought] = []
    for one, told in described.items():
        values = (*dict(one.overrides).values(), *(settings.values() if one == ref else ()))
        found += _bring(one, told, named_paths(values), how, say)
    return found


def _bring(
    ref: ModelRef,
    told: Description,
    reads: tuple[str, ...],
    how: Circumstances,
    say: Callable[[str], None],
) -> list[Brought]:
    name, preset = ref.model, str(told.declared.preset)
    if told.problem:
        return [Brought(name, preset, problem=told.problem)]
    if not told.declared.fetches:
        return [Brought(name, preset)]
    sources = told.declared.pretrained
    say(f"fetching {', '.join(sources) or name}")
    try:
        with temporary_folder() as folder:
            fetch_for(told.plugin, told.declared.config, preset, reads, folder, how)
        models = models_folder(told.plugin, how.cache)
        weights = identify(sources, models, how.cache)
        paths = {source: str(require(source, models)) for source in sources}
    except (WeightsError, PluginFailure, OSError) as error:
        return [Brought(name, preset, ", ".join(sources), problem=str(error))]
    rows = [Brought(name, preset, source, weights[source], paths[source]) for source in sources]
    return rows or [Brought(name, preset)]
