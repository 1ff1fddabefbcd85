"""How weights come into the model cache, and where what a plugin keeps is kept.

A plugin's ``fetch`` runs in a process of its own, without any data: it alone writes to the model
cache, and has the network unless the preset is ``tiny``. The process that fits reads that cache,
and writes encodings, which are kept apart by the events and the protocol that they were made for:
what is learned from the training events of one protocol may be the answers of another.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.files import slug
from mmbench.grid.launch import launch
from mmbench.grid.registry import Plugin
from mmbench.grid.wall import Gates
from mmbench.results.record import is_tiny

if TYPE_CHECKING:
    from mmbench.data.log import Log
    from mmbench.grid.question import Question
    from mmbench.grid.runner import Circumstances, Job

FOLDER = "fetch"  # in the cell's


@dataclass(slots=True)
class Fetched:
    """What has been fetched since this process began: a grid's cells need it once."""

    done: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


def models_folder(plugin: Plugin, cache: Path) -> Path:
    """The model cache of a plugin's distribution, in the harness's cache."""
    return cache / "models" / slug(plugin.distribution)


def encodings_folder(how: Circumstances, question: Question, source: Question | None) -> Path:
    """Where encodings are kept that may have been made from these training events."""
    logs = {*map(_name, question.logs), *map(_name, source.logs if source else ())}
    return how.cache / "encodings" / slug(f"{'+'.join(sorted(logs))}-{question.protocol.name}")


def _name(log: Log) -> str:
    """A log's events; a sample of its users has others, where a split depends on all of them."""
    sampled = log.card.get("sampled")
    return log.fingerprints.events + (f".{sampled['users']}" if sampled else "")


def fetch(job: Job, scratch: Path, how: Circumstances) -> None:
    """Let a job's plugin fetch its weights, unless it has. Raises PluginFailure."""
    if job.declared.fetches:
        folder = scratch / FOLDER
        folder.mkdir(exist_ok=True)
        fetch_for(job.plugin, job.cell.config, job.preset, job.reads, folder, how)


def fetch_for(
    plugin: Plugin,
    config: Mapping[str, Any],
    preset: str,
    reads: tuple[str, ...],
    scratch: Path,
    how: Circumstances,
) -> None:
    """Let a plugin fetch its weights, unless it has for these settings. Raises PluginFailure.

    Args:
        plugin: whose hook is called.
        config: the whole of it.
        preset: its name; ``tiny`` gets no network.
        reads: files and folders that the user's settings name.
        scratch: an empty folder.
        how: limits and places.
    """
    cache, network = models_folder(plugin, how.cache), not is_tiny(preset)
    name = json.dumps([str(cache), plugin.value, preset, config], sort_keys=True)
    with how.fetched.lock:
        if name in how.fetched.done:
            return
        cache.mkdir(parents=True, exist_ok=True)
        host = launch(
            scratch,
            isolated=how.isolated,
            limits=how.limits,
            stop=how.stop,
            environment=how.environment,
            watched=how.watched,
            gates=Gates(
                reads=reads,
                writes=(str(cache),),
                network=network,
                walled=how.walled,
            ),
        )
        try:
            host.fetch(plugin, dict(config), cache, network=network)
        finally:
            host.close()
        how.fetched.done.add(name)


def named_paths(values: Iterable[str]) -> tuple[str, ...]:
    """The files and folders that settings name, as in ``backbone=./smol``.

    A text is a path if it has a separator and is there: names of models are not paths by accident.
    """
    found = []
    for value in values:
        path = Path(value.strip().strip('"')).expanduser()
        if ("/" in value or "\\" in value) and path.exists():
            found.append(str(path.absolute()))
    return tuple(found)
