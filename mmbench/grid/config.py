"""A model's configuration: preset, overrides, and the resolved whole as plain data."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pydantic

from mmbench.grid.registry import ModelRef, UsageError, split_list
from mmbench.problems import did_you_mean

AUTO = "auto"  # as a size: what this machine can run
SMALL = "small"  # a size on small pretrained weights
STAND_IN = "stand-in"  # as a size: the stand-in of a model that has one
WEIGHTS = ("backbone", "encoder")  # ends of the names of settings that name pretrained weights


def choose_preset(
    presets: Mapping[str, Any], ref: ModelRef, size: str, stand_ins: Sequence[str] = ()
) -> str:
    """The preset's name for a reference.

    Args:
        presets: the class's presets.
        ref: its ``variant`` names a preset; ``variant/tiny`` is that variant in the size ``tiny``.
        size: ``paper``, ``small``, ``tiny`` or ``stand-in``, the first of ``stand_ins`` that there
            is. A model without such a preset runs ``paper``.
        stand_ins: the class's sizes that stand in for its ``paper`` ones.
    """
    sizes = stand_ins if size == STAND_IN else [size]
    if ref.variant is None:
        return next((name for name in sizes if name in presets), "paper")
    sized = (f"{ref.variant}/{name}" for name in sizes)
    if found := next((name for name in (*sized, ref.variant) if name in presets), None):
        return found
    known = sorted({name.split("/")[0] for name in presets})
    raise UsageError(
        f"{ref.name} has no variant {ref.variant!r}.{did_you_mean(ref.variant, known)}"
    )


def auto_presets(presets: Mapping[str, Any], ref: ModelRef, stand_ins: Sequence[str]) -> list[str]:
    """The presets that ``auto`` chooses from, the best first; only the last runs anywhere.

    That is one where nothing stands in for the real thing, or where a size was asked for by name.
    """
    found = [choose_preset(presets, ref, "paper")]
    if stand_ins and _size(found[0]) not in (SMALL, *stand_ins):
        for size in dict.fromkeys((SMALL, *stand_ins)):
            preset = choose_preset(presets, ref, size)
            if _size(preset) == size:
                found.append(preset)
    return found


def shown_size(preset: str, stand_in: str) -> str:
    """The size that stands in a row's name: of a stand-in, or ``small``; else empty."""
    return stand_in or (SMALL if _size(preset) == SMALL else "")


def stand_in_size(
    presets: Mapping[str, Any], stand_ins: Sequence[str], preset: str, config: Mapping[str, Any]
) -> str:
    """The size that a resolved config stands in by, empty for the real thing.

    It is the preset's own size, or that of a preset whose weights the config was given: a text of a
    setting in ``WEIGHTS`` that only stand-ins have. What follows a colon does not matter: no
    ``tiny:...`` is pretrained where one stand-in's is not.
    """
    size = _size(preset)
    if size in stand_ins:
        return size
    real = set().union(
        *(_weights(presets[name]) for name in presets if _size(name) not in stand_ins)
    )
    for name in presets:
        if _size(name) in stand_ins and _weights(config) & (_weights(presets[name]) - real):
            return _size(name)
    return ""


def _size(preset: str) -> str:
    return preset.rpartition("/")[2]


def _weights(config: Any) -> set[tuple[str, str]]:
    """The settings that name weights, and the texts in them up to a colon."""
    values = config if isinstance(config, Mapping) else as_dict(config)
    found = {
        (key, value.partition(":")[0])
        for key, value in values.items()
        if isinstance(value, str) and value and key.endswith(WEIGHTS)
    }
    return found.union(
        *(_weights(value) for value in values.values() if isinstance(value, Mapping))
    )


def resolve(model_class: Any, ref: ModelRef, preset: str, overrides: Mapping[str, str]) -> Any:
    """The Config object: preset, then the family's field, then overrides (texts are coerced)."""
    config_class, values = model_class.Config, as_dict(model_class.presets[preset])
    given: dict[str, Any] = dict(overrides)
    if ref.family is not None:
        family = getattr(model_class, "family", None)
        if family is None:
            raise UsageError(f"{ref.name} takes nothing after a colon, but {ref.model} was asked")
        given[family] = ref.family
    for key in given:
        if key not in values:
            raise UsageError(f"{ref.name} has no setting {key!r}.{did_you_mean(key, values)}")
    read = {key: _parse(value) for key, value in given.items()}
    # what is JSON and yet meant as text, as a commit that is all digits; and a list without quotes
    for other in (str, split_list):
        misfits = given.keys() & _misfits(config_class, values | read)
        tried = {key: other(given[key]) for key in misfits if isinstance(given[key], str)}
        still = _misfits(config_class, values | read | tried)
        read |= {key: value for key, value in tried.items() if key not in still}
    return build(config_class, values | read, ref.name)


def build(config_class: Any, values: Mapping[str, Any], name: str) -> Any:
    """A Config from plain data, types checked. Raises UsageError naming the setting."""
    try:
        return pydantic.TypeAdapter(config_class).validate_python(dict(values))
    except pydantic.ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}, not {problem['input']!r}"
            if problem["loc"]
            else problem["msg"].removeprefix("Value error, ")  # of settings that do not go together
            for problem in error.errors()
        )
        raise UsageError(f"{name}: {problems}") from error


def _misfits(config_class: Any, values: Mapping[str, Any]) -> set[str]:
    """The settings whose value is not of their type."""
    try:
        pydantic.TypeAdapter(config_class).validate_python(dict(values))
    except pydantic.ValidationError as error:
        return {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
    return set()


def as_dict(config: Any) -> dict[str, Any]:
    """A Config as JSON-able data: the same for a dataclass and a pydantic model."""
    if isinstance(config, pydantic.BaseModel):
        return config.model_dump(mode="json")
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        plain = pydantic.TypeAdapter(type(config)).dump_python(config, mode="json")
        return dict(plain)
    raise TypeError(f"a Config is a dataclass or a pydantic model, not {type(config).__name__}")


def _parse(text: Any) -> Any:
    """Text from the command line as JSON where it is JSON, else as it stands."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
