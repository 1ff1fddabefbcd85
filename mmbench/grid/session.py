"""One fresh plugin instance behind one plugin manager: where the harness meets third-party code."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pluggy

from mmbench.grid.config import (
    AUTO,
    as_dict,
    auto_presets,
    build,
    choose_preset,
    resolve,
    shown_size,
    stand_in_size,
)
from mmbench.grid.declaration import EMBEDDINGS, Declaration, Upstream
from mmbench.grid.registry import ModelRef, Plugin, UsageError
from mmbench.hooks import (
    ContractError,
    arguments_of,
    check_hooks,
    has_hook,
    hooks_of,
    open_manager,
)
from mmbench.hookspecs import ModelHooks, Published
from mmbench.problems import did_you_mean
from mmbench.results.cell import canonical

HOOKS = tuple(hooks_of(ModelHooks))
EXAMPLE = (
    'Write Config = MyConfig, a frozen dataclass, and presets = {"paper": Config(), "tiny": '
    "Config(epochs=1)}"
)
MODALITIES = {"text", "image"}


def load_class(plugin: Plugin) -> Any:
    """Import the plugin and check what its class declares. Raises ContractError."""
    found = plugin.load()
    where = f"{plugin.value} ({plugin.distribution} {plugin.version})"
    check_hooks(found, ModelHooks, where, needed=("fit", "score"))
    for attribute in ("Config", "presets"):
        if not hasattr(found, attribute):
            raise ContractError(f"{where} has no {attribute}. {EXAMPLE}")
    presets = found.presets
    if not isinstance(presets, Mapping) or "paper" not in presets:
        raise ContractError(f"{where}: presets has no 'paper'. {EXAMPLE}")
    try:
        for name, preset in presets.items():
            if not isinstance(preset, found.Config):
                raise ContractError(
                    f"{where}: preset {name!r} is not a {found.Config.__name__}. {EXAMPLE}"
                )
            as_dict(preset)
            strange = set(needs_of(found, preset)) - MODALITIES
            if strange:
                raise ContractError(
                    f"{where}: needs holds {sorted(strange)}; it may hold text and image"
                )
        found.Config()
        _check_stand_ins(found, where)
        _check_per_set(found, where)
        _check_keeping(found, where)
    except ContractError:
        raise
    except TypeError as error:
        raise ContractError(f"{where}: {error}") from error
    return found


def _check_stand_ins(found: Any, where: str) -> None:
    """Raise ContractError where ``stand_ins`` does not name sizes of presets."""
    named = getattr(found, "stand_ins", ())
    sizes = {name.rpartition("/")[2] for name in found.presets} - {"paper"}
    for name in (named,) if isinstance(named, str) else named:
        if isinstance(named, str) or name not in sizes:
            raise ContractError(
                f"{where}: stand_ins names {name!r}; it is a tuple of the last parts of the names "
                f"of presets, such as {' or '.join(sorted(sizes)) or 'tiny'}"
            )


def _check_per_set(found: Any, where: str) -> None:
    """Raise ContractError where ``per_set`` and what ``score`` names do not go together."""
    per_set, named = getattr(found, "per_set", False), arguments_of(found, "score")
    if not isinstance(per_set, bool):
        raise ContractError(f"{where}: per_set is True or False, not {per_set!r}")
    if not per_set and "excluded" in named:
        raise ContractError(
            f"{where}: score names excluded, which is told to a class with per_set = True alone"
        )
    if per_set and not {"candidates", "excluded"} & set(named):
        raise ContractError(
            f"{where}: per_set is True, and score names neither candidates nor excluded: it would "
            "be asked the same for each set"
        )


def _check_keeping(found: Any, where: str) -> None:
    """Raise ContractError for half of keeping, and where ``draws`` is no truth value."""
    if has_hook(found, "keep") != has_hook(found, "restore"):
        there, lacks = ("keep", "restore") if has_hook(found, "keep") else ("restore", "keep")
        raise ContractError(f"{where} has the hook {there} and not {lacks}; a kept fit wants both")
    if not isinstance(getattr(found, "processes", False), bool):
        raise ContractError(f"{where}: processes is True or False, not {found.processes!r}")
    if not isinstance(getattr(found, "draws", True), bool):
        raise ContractError(f"{where}: draws is True or False, not {found.draws!r}")


def open_session(plugin: Plugin, config: Mapping[str, Any]) -> pluggy.PluginManager:
    """A manager that holds one new instance of the checked class. Raises ContractError."""
    model_class = load_class(plugin)
    built = build(model_class.Config, config, plugin.name)
    return open_manager(model_class, ModelHooks, plugin.name, built)


def describe(
    plugin: Plugin, ref: ModelRef, size: str, overrides: Mapping[str, str]
) -> list[Declaration]:
    """What the grid needs to know before a cell: the class's declarations and the whole config.

    One, or for the size ``auto`` one for each preset that it may take, see ``auto_presets``.
    """
    model_class = load_class(plugin)
    stand_ins = tuple(getattr(model_class, "stand_ins", ()))
    if size == AUTO:
        presets = auto_presets(model_class.presets, ref, stand_ins)
    else:
        presets = [choose_preset(model_class.presets, ref, size, stand_ins)]
    return [_declare(model_class, ref, name, overrides) for name in presets]


def _declare(
    model_class: Any, ref: ModelRef, preset: str, overrides: Mapping[str, str]
) -> Declaration:
    """What a class says of itself in one preset."""
    stand_ins = tuple(getattr(model_class, "stand_ins", ()))
    resolved = resolve(model_class, ref, preset, {**dict(ref.overrides), **overrides})
    config = as_dict(resolved)
    try:
        canonical(config)
    except ValueError as error:
        raise UsageError(
            f"{ref.name}: a setting is NaN or infinite, which no result can be named by: {config}"
        ) from error
    family = getattr(model_class, "family", None)
    if family is not None and family not in config:
        raise ContractError(f"{ref.name}: family is {family!r}, and Config has no such field")
    stand_in = stand_in_size(model_class.presets, stand_ins, preset, config)
    return Declaration(
        preset=preset,
        stand_in=stand_in,
        size=shown_size(preset, stand_in),
        config=config,
        unnamed=family if family is not None and not config[family] else None,
        needs=tuple(sorted(needs_of(model_class, resolved))),
        pretrained=tuple(pretrained_of(model_class, resolved, ref.name)),
        loss=getattr(model_class, "loss", None),
        seconds=_seconds(model_class, resolved),
        max_candidates=getattr(model_class, "max_candidates", None),
        per_set=getattr(model_class, "per_set", False),
        processes=getattr(model_class, "processes", False),
        papers=tuple(_papers(model_class, ref)),
        presets=tuple(sorted(model_class.presets)),
        known_failures=_known_failures(model_class, ref, preset),
        embeds=tuple(hook for hook in EMBEDDINGS if has_hook(model_class, hook)),
        transfers=has_hook(model_class, "transfer"),
        fetches=has_hook(model_class, "fetch"),
        keeps=has_hook(model_class, "keep"),
        draws=getattr(model_class, "draws", True),
        upstream=_upstream(model_class, ref, config),
    )


def needs_of(model_class: Any, config: Any) -> Iterable[str]:
    """The modalities that a class says it needs, of itself or as a function of its Config."""
    found = getattr(model_class, "needs", ())
    modalities: Iterable[str] = found(config) if callable(found) else found
    return modalities


def pretrained_of(model_class: Any, config: Any, name: str) -> list[str]:
    """The sources of the pretrained weights that a class names for its Config."""
    found = getattr(model_class, "pretrained", None)
    sources = list(found(config)) if callable(found) else None if found else []
    if sources is None or not all(isinstance(source, str) and source for source in sources):
        raise ContractError(
            f"{name}: pretrained is a static method that returns names of weights for a Config, as "
            'in ("org/name@commit",)'
        )
    return sources


def _seconds(model_class: Any, config: Any) -> dict[str, float]:
    """About how long a class says that a cell takes with its Config, by what it is for."""
    found = getattr(model_class, "seconds", None)
    return {} if found is None else dict(found(config))


def _papers(model_class: Any, ref: ModelRef) -> Sequence[Published]:
    """The published figures of the variant that is asked for, or of the class."""
    found = getattr(model_class, "papers", ())
    return found.get(ref.variant or "", ()) if isinstance(found, Mapping) else found


def _known_failures(model_class: Any, ref: ModelRef, preset: str) -> dict[str, str]:
    """The checks that the class says this preset fails: those of all presets, or its own."""
    found = getattr(model_class, "known_failures", {})
    if not any(isinstance(value, Mapping) for value in found.values()):
        return dict(found)
    for name, failures in found.items():
        if name not in model_class.presets:
            hint = did_you_mean(name, model_class.presets)
            raise ContractError(f"{ref.name}: known_failures: there is no preset {name!r}.{hint}")
        if not isinstance(failures, Mapping):
            raise ContractError(f"{ref.name}: known_failures: {name!r} has no {{check: reason}}")
    return dict(found.get(preset, {}))


def _upstream(model_class: Any, ref: ModelRef, config: Mapping[str, Any]) -> Upstream | None:
    """The config field that names another model, and that name; None where none is named."""
    field = getattr(model_class, "upstream", None)
    if field is None:
        return None
    if field not in config:
        raise ContractError(f"{ref.name}: upstream is {field!r}, and Config has no such field")
    return Upstream(field, str(config[field])) if config[field] else None


def examine(plugin: Plugin, config: Mapping[str, Any]) -> dict[str, Any]:
    """What the checks ask of a new instance: is its Config sound, what does it hold.

    Returns:
        ``hooks``: the arguments that each implemented hook names; ``beyond_config``: attributes
        that ``__init__`` set to something else than the config, one of its values or None;
        ``frozen`` and ``survives_json`` of the default config.
    """
    manager = open_session(plugin, config)
    (instance,) = manager.get_plugins()
    config_class = type(instance).Config
    default = config_class()
    stored = [default, None]
    for value in getattr(instance, "__dict__", {}).values():
        if isinstance(value, config_class):
            stored += [value, *(getattr(value, key) for key in as_dict(value))]
    return {
        "hooks": {
            name: list(found[0].argnames)
            for name in HOOKS
            if (found := getattr(manager.hook, name).get_hookimpls())
        },
        "beyond_config": sorted(
            name
            for name, value in getattr(instance, "__dict__", {}).items()
            if not any(value is kept for kept in stored)
        ),
        "frozen": _is_frozen(config_class),
        "survives_json": bool(build(config_class, as_dict(default), plugin.name) == default),
    }


def takes(manager: pluggy.PluginManager, hook: str, argument: str) -> bool:
    """Whether the plugin's implementation of a hook names an argument."""
    implementations = getattr(manager.hook, hook).get_hookimpls()
    return any(argument in found.argnames for found in implementations)


def parameter_count(manager: pluggy.PluginManager) -> int | None:
    """Trainable parameters of the torch modules that the instance, or a part of it, holds.

    None where torch was not loaded.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    instance = next(iter(manager.get_plugins()))
    held = list(vars(instance).values())
    held += [value for part in held for value in getattr(part, "__dict__", {}).values()]
    modules = [value for value in held if isinstance(value, torch.nn.Module)]
    counts: dict[int, int] = {
        id(parameter): parameter.numel()
        for module in modules
        for parameter in module.parameters()
        if parameter.requires_grad
    }
    return sum(counts.values())


def _is_frozen(config_class: Any) -> bool:
    parameters = getattr(config_class, "__dataclass_params__", None)
    return parameters is None or bool(parameters.frozen)
