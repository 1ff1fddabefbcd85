"""Read a model's class for people: its settings, presets and papers. In the plugin's process."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Mapping
from typing import Any

import pydantic

from mmbench.grid.about import LONG, About, Preset, Setting
from mmbench.grid.config import as_dict
from mmbench.grid.docstrings import SHARED, first_sentence, meanings
from mmbench.grid.registry import Plugin
from mmbench.grid.session import HOOKS, load_class, needs_of, pretrained_of
from mmbench.hooks import has_hook
from mmbench.problems import legible

MOST = 1900  # characters of a sentence


def introspect(plugin: Plugin) -> About:
    """What a class tells about itself. Raises ContractError."""
    found = load_class(plugin)
    default = as_dict(found.Config())
    papers = getattr(found, "papers", ())
    by_variant = papers if isinstance(papers, Mapping) else {"": papers}
    text = inspect.cleandoc(found.__doc__ or "")
    return About(
        summary=legible(first_sentence(text), MOST),
        text=legible(text, LONG - 100),
        settings=tuple(settings_of(found.Config, default)),
        presets=tuple(
            Preset(
                name=name,
                changes=_changes(as_dict(found.presets[name]), default),
                needs=tuple(sorted(needs_of(found, found.presets[name]))),
                pretrained=tuple(pretrained_of(found, found.presets[name], plugin.name)),
            )
            for name in sorted(found.presets)
        ),
        stand_ins=tuple(getattr(found, "stand_ins", ())),
        papers={name: tuple(figures) for name, figures in by_variant.items() if figures},
        hooks=tuple(hook for hook in HOOKS if has_hook(found, hook)),
        upstream=getattr(found, "upstream", None),
        family=getattr(found, "family", None),
        loss=getattr(found, "loss", None),
        max_candidates=getattr(found, "max_candidates", None),
        per_set=getattr(found, "per_set", False),
    )


def _changes(config: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if value != default[key]}


def settings_of(config: Any, default: Mapping[str, Any]) -> list[Setting]:
    """The fields of a Config's class; ``default`` holds their defaults, JSON-able."""
    told = meanings(config)
    try:
        hints = typing.get_type_hints(config)
    except (NameError, TypeError):  # a type that only a type checker can see
        hints = {}
    described = _descriptions(config)
    return [
        Setting(
            name=name,
            type=legible(spell(hints.get(name, "")), MOST),
            default=value,
            meaning=legible(told.get(name) or described.get(name) or SHARED.get(name, ""), MOST),
        )
        for name, value in default.items()
    ]


def _descriptions(config: Any) -> dict[str, str]:
    """What a pydantic model, or a dataclass's metadata, says of its fields."""
    if issubclass(config, pydantic.BaseModel):
        fields = config.model_fields.items()
        return {name: field.description for name, field in fields if field.description}
    return {
        field.name: str(field.metadata["help"])
        for field in dataclasses.fields(config)
        if "help" in field.metadata
    }


def spell(hint: Any) -> str:
    """A type as people write it: ``int``, ``lora | none``, ``str or nothing``."""
    if hint is None or hint is type(None):
        return "nothing"
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return spell(typing.get_args(hint)[0])
    if origin is typing.Literal:
        return " | ".join(str(value) or '""' for value in typing.get_args(hint))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(spell, typing.get_args(hint)))
    if origin is None:
        return getattr(hint, "__name__", str(hint))
    inner = ", ".join("..." if one is ... else spell(one) for one in typing.get_args(hint))
    return f"{getattr(origin, '__name__', origin)}[{inner}]"
