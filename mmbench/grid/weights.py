"""Which pretrained weights a cell loads, by their commits and digests: part of its identity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.data.digests import contents
from mmbench.files import temporary_folder
from mmbench.grid.declared import Description
from mmbench.grid.fetch import fetch_for, models_folder
from mmbench.grid.host import PluginFailure
from mmbench.toolkit.weights import WeightsError, identity

if TYPE_CHECKING:
    from mmbench.grid.runner import Circumstances

MEMORY = Path("digests", "weights")  # in the cache


def identify(sources: Iterable[str], models: Path, cache: Path) -> dict[str, str]:
    """Source to ``commit:...`` or ``sha256:...``; empty for a branch that was not fetched yet.

    Files are read again only where they changed, see ``data.digests``.

    Args:
        sources: as a model's class names them.
        models: the model cache of its distribution.
        cache: the harness's own.

    Raises WeightsError: a source means nothing here. OSError: a file cannot be read.
    """

    def read(path: Path, wanted: Callable[[str], bool]) -> Mapping[str, str]:
        return contents(path, cache / MEMORY, wanted)

    return {source: identity(source, models, read) for source in sources}


def weigh(
    found: Description,
    reads: tuple[str, ...],
    how: Circumstances,
    say: Callable[[str], None] | None,
) -> Description:
    """A description with the weights that are loaded, or with the reason why that is not known.

    Args:
        found: what a plugin declares.
        reads: files and folders that the user's settings name.
        how: limits and places.
        say: told what is fetched; None fetches nothing, and a branch whose commit is not known here
            is a problem.
    """
    sources = found.declared.pretrained
    if found.problem or not sources:
        return found
    models = models_folder(found.plugin, how.cache)
    try:
        weights = identify(sources, models, how.cache)
        open_ones = [source for source, told in weights.items() if not told]
        if open_ones and say is not None:
            say(f"fetching {', '.join(open_ones)}")
            with temporary_folder() as folder:
                declared = found.declared
                fetch_for(
                    found.plugin,
                    declared.config,
                    declared.preset,
                    reads,
                    folder,
                    how,
                )
            weights = identify(sources, models, how.cache)
    except (WeightsError, PluginFailure, OSError) as error:
        return replace(found, problem=str(error))
    for source, told in weights.items():
        if not told:
            why = f"{source} is a branch whose commit is not known here: `mmbench fetch` gets it"
            return replace(found, problem=why)
    return replace(found, weights=weights)


def changed(weights: Mapping[str, str], models: Path, cache: Path) -> str:
    """What is no longer as a cell says, or an empty text."""
    try:
        now = identify(weights, models, cache)
    except (WeightsError, OSError) as error:
        return str(error)
    different = [source for source, found in weights.items() if now[source] != found]
    return "".join(
        f"the weights of {source} are now {now[source]}, and were {weights[source]} when the cell "
        "was planned; run it again"
        for source in different[:1]
    )
