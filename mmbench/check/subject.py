"""Which model is checked, as an installed name, as ``module:Class``, or as a class."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mmbench.grid.asked import SIZES
from mmbench.grid.registry import ModelRef, Plugin, UsageError, outdated
from mmbench.grid.unpackaged import find_model, locate, unpackaged
from mmbench.results import UNPACKAGED


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to check, in one size.

    Attributes:
        plugin: where it is.
        ref: as it was asked for; its variant is checked.
        size: ``tiny``, ``small``, ``paper``, or ``auto`` (``paper`` where there is a CUDA GPU).
        overrides: settings, as ``--set`` takes them.
    """

    plugin: Plugin
    ref: ModelRef
    size: str = "tiny"
    overrides: Mapping[str, str] = field(default_factory=dict)


def find_subject(
    model: str | type, size: str = "tiny", overrides: Mapping[str, str] | None = None
) -> Subject:
    """The model that is meant.

    Args:
        model: an installed model's name as ``mmbench run`` takes it, ``module:Class`` of something
            on the path, ``file.py:Class``, or a class that a module names.
        size: one of ``SIZES``.
        overrides: ``{"key": "value"}``.

    Raises UsageError: no such name, or a class that another process could not import, or
    a package that wants another mmbench.
    """
    if size not in SIZES:
        raise UsageError(f"--preset is one of {', '.join(SIZES)}, not {size!r}")
    given = dict(overrides or {})
    if not isinstance(model, str):
        return Subject(_plugin_of(model), ModelRef(model.__name__), size, given)
    ref = locate(model)
    plugin = find_model(ref)
    if problem := outdated(plugin):
        raise UsageError(problem)
    if unpackaged(ref):
        ref = replace(ref, name=plugin.name)
    return Subject(plugin, ref, size, given)


def _plugin_of(model: type) -> Plugin:
    if not inspect.isclass(model):
        raise UsageError(f"{model!r} is not a class; give a class or a model's name")
    if "<locals>" in model.__qualname__ or model.__module__ == "__main__":
        raise UsageError(
            f"{model.__qualname__} of {model.__module__} cannot be imported by the process that it "
            "is run in; move it to the top of a module"
        )
    return Plugin(model.__name__, f"{model.__module__}:{model.__qualname__}", UNPACKAGED, "0")
