"""Which observers are asked for, with which options; and an observer's Config from them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pydantic

from mmbench.grid.config import as_dict, build
from mmbench.grid.registry import UsageError, parse_setting, split_list
from mmbench.hooks import ContractError
from mmbench.problems import did_you_mean

Options = dict[str, Any]


def parse_observers(texts: Iterable[str]) -> dict[str, Options]:
    """Name to options of ``name`` or ``name:key=value,key=value`` each.

    What is named twice is one observer with the options of both; of an option that is given twice,
    the last counts. Raises UsageError.
    """
    found: dict[str, Options] = {}
    for text in texts:
        name, _, options = text.partition(":")
        found.setdefault(name.strip(), {}).update(map(parse_setting, split_list(options)))
    return found


def merge(first: Mapping[str, Options], then: Mapping[str, Options]) -> dict[str, Options]:
    """The observers of both, in order; of an option that both give, the second counts."""
    return {
        name: {**first.get(name, {}), **then.get(name, {})}
        for name in dict.fromkeys((*first, *then))
    }


def config_of(found: Any, name: str, options: Mapping[str, Any]) -> Any:
    """The Config of an observer's class; None where it has none.

    A text is what the option is, where that can be; else it is read as JSON. Raises UsageError for
    an option that it has not or that is not of its type, and ContractError for a Config of which a
    field has no default.
    """
    config_class = getattr(found, "Config", None)
    if config_class is None:
        if options:
            raise UsageError(f"{name} takes no options, and {', '.join(options)} was given")
        return None
    try:
        known = as_dict(config_class())
    except (TypeError, pydantic.ValidationError) as error:
        raise ContractError(
            f"{name}: Config is a dataclass or a pydantic model with a default for each field: "
            f"{error}"
        ) from error
    for key in options:
        if key not in known:
            raise UsageError(f"{name} has no option {key!r}.{did_you_mean(key, known)}")
    try:
        return pydantic.TypeAdapter(config_class).validate_python(dict(options))
    except pydantic.ValidationError as error:
        failing = {problem["loc"][0] for problem in error.errors() if problem["loc"]}
    told = {key: _parse(value) if key in failing else value for key, value in options.items()}
    return build(config_class, told, name)


def _parse(value: Any) -> Any:
    """A text as JSON where it is JSON, else as it stands."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError:
        return value
