"""What the plugins of a grid declare, each asked in a process of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

from mmbench.files import temporary_folder
from mmbench.grid.code import code_digest
from mmbench.grid.declaration import NOTHING, Declaration
from mmbench.grid.environment import cuda_gpus
from mmbench.grid.family import Limits
from mmbench.grid.fetch import models_folder
from mmbench.grid.host import PluginFailure
from mmbench.grid.launch import launch
from mmbench.grid.registry import (
    ModelRef,
    Plugin,
    UsageError,
    outdated,
    parse_setting,
)
from mmbench.grid.unpackaged import find_model, locate
from mmbench.toolkit.weights import WeightsError, missing

DESCRIBE_SECONDS = 120.0
Setting = tuple[str, str, str]  # model, key, value


@dataclass(frozen=True, slots=True)
class Description:
    """What a plugin declares, or why it could not be asked; the digest of its code; and, where it
    was looked for, the pretrained weights that it loads, as a cell holds them.
    """

    plugin: Plugin
    declared: Declaration = NOTHING
    problem: str = ""
    code: str = ""
    weights: dict[str, str] | None = None

    @property
    def upstream(self) -> ModelRef | None:
        """The model whose item embeddings this one starts from."""
        named = self.declared.upstream
        return locate(named.model) if named else None


def choose(options: Sequence[Declaration], models: Path) -> Declaration:
    """What ``auto`` takes of a model's presets, with ``why`` it takes none that comes before.

    The first wants a CUDA GPU, unless it is the only one; all but the last want their weights.

    Args:
        options: what the class declares in each, the best first.
        models: the model cache of its distribution.
    """
    reasons: list[str] = []
    for number, option in enumerate(options[:-1]):
        without_gpu = number == 0 and not cuda_gpus()
        why = "no CUDA GPU" if without_gpu else lacking_weights(option.pretrained, models)
        if not why:
            return replace(option, why="; ".join(reasons))
        reasons.append(why)
    return replace(options[-1], why="; ".join(reasons))


def lacking_weights(sources: Iterable[str], models: Path) -> str:
    """Why weights that a preset names cannot be loaded here, or an empty text."""
    for source in sources:
        try:
            if problem := missing(source, models):
                return problem
        except WeightsError as error:
            return str(error)
    return ""


def describe_all(
    refs: Iterable[ModelRef], settings: Sequence[Setting], preset: str, isolated: bool, cache: Path
) -> dict[ModelRef, Description]:
    """Every model that was asked for and every upstream of one, side by side.

    ``preset`` is a size; ``auto`` takes what can be run here, given what the harness's ``cache``
    holds of weights.
    """
    stop = threading.Event()
    pool = ThreadPoolExecutor(4)
    described: dict[ModelRef, Description] = {}
    codes: dict[Plugin, str] = {}
    pending = list(dict.fromkeys(refs))
    try:
        while pending:
            plugins = {ref: find_model(ref) for ref in pending}
            codes |= {plugin: read_code(plugin) for plugin in plugins.values()}
            futures = [
                pool.submit(
                    describe_plugin,
                    plugins[ref],
                    ref,
                    given_to(ref, settings),
                    size=preset,
                    isolated=isolated,
                    cache=cache,
                    stop=stop,
                )
                for ref in pending
            ]
            for ref, future in zip(pending, futures, strict=True):
                while not future.done():  # a wait without a limit could keep Ctrl-C from here
                    wait([future], timeout=0.5)
                described[ref] = replace(future.result(), code=codes[plugins[ref]])
            named = (described[ref].upstream for ref in pending)
            pending = list(dict.fromkeys(ref for ref in named if ref and ref not in described))
        return described
    finally:
        stop.set()  # Ctrl-C, or an error of one, need not wait for the others
        pool.shutdown(cancel_futures=True)


def read_code(plugin: Plugin) -> str:
    """The digest of the code that can move a plugin's numbers, as it is now. Raises UsageError."""
    try:
        return code_digest(plugin.value, plugin.distribution)
    except OSError as error:
        raise UsageError(
            f"{plugin.name} of {plugin.distribution} {plugin.version}: its code cannot be read: "
            f"{error}"
        ) from error


def describe_plugin(
    plugin: Plugin,
    ref: ModelRef,
    overrides: Mapping[str, str],
    *,
    size: str,
    isolated: bool,
    cache: Path = Path(),
    stop: threading.Event | None = None,
) -> Description:
    """Ask a plugin's class, in a process of its own, what it declares. Raises UsageError.

    ``cache``: the harness's, where the weights are looked for that the size ``auto`` depends on.
    """
    if problem := outdated(plugin):
        return Description(plugin, problem=problem)
    limits = Limits(seconds=DESCRIBE_SECONDS)
    with temporary_folder() as folder:
        host = launch(folder, isolated=isolated, limits=limits, stop=stop)
        try:
            options = host.describe(plugin, ref, size, dict(overrides))
            return Description(plugin, choose(options, models_folder(plugin, cache)))
        except PluginFailure as failure:
            return Description(plugin, problem=failure.reason)
        finally:
            host.close()


def split_setting(text: str) -> Setting:
    """``model.key=value`` as model, key and value. Raises UsageError."""
    key, value = parse_setting(text)
    target, dot, field_name = key.rpartition(".")
    if not dot:
        raise UsageError(f"--set {text}: write model.key=value")
    return target, field_name, value


def given_to(ref: ModelRef, settings: Iterable[Setting]) -> dict[str, str]:
    """The settings of a reference: one for ``name`` reaches all its variants."""
    names = names_of(ref)
    return {key: value for target, key, value in settings if target in names}


def names_of(ref: ModelRef) -> set[str]:
    return {ref.name, ref.model, f"{ref.model}/{ref.variant}"}
