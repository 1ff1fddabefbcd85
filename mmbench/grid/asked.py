"""What a user asks for, on the command line or in Python, as one grid."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydantic

from mmbench.grid.observer_options import parse_observers
from mmbench.grid.registry import UsageError, split_list
from mmbench.problems import did_you_mean
from mmbench.protocol import DEFAULT
from mmbench.results.tuning import Tuning

SIZES = ("auto", "paper", "small", "tiny")


class GridFile(pydantic.BaseModel, strict=True):
    """The keys of a grid file; ``set`` has a table of settings for each model, ``tuned`` those that
    ``mmbench tune`` found, ``observers`` names, or a table of options for each.
    """

    models: list[str] = []
    data: list[str] = []
    protocol: str = ""
    seeds: int | str | list[int] = 1
    preset: str = ""
    limit: int = pydantic.Field(1, ge=1)
    processes: int = pydantic.Field(1, ge=1)
    fit_on: str = ""
    set: dict[str, dict[str, Any]] = {}
    tuned: dict[str, Tuning] = {}
    observers: dict[str, dict[str, Any]] | list[str] = {}


GRID_KEYS = sorted(GridFile.model_fields)


@dataclass(frozen=True, slots=True)
class Grid:
    """What to run: every model on every dataset with every seed.

    Attributes:
        models: references as in ``recbole:NeuMF`` or ``vlm2rec/sft-ext``.
        data: ids, aliases or paths; ``a+b`` for models that are fitted on both and asked on each.
        protocol: a protocol's name.
        seeds: the seeds themselves.
        preset: ``auto``, ``paper``, ``small`` or ``tiny``.
        limit: so many users only (a smoke run), or None.
        processes: that fit a model together, of models that can be fitted so.
        settings: ``model.key=value`` texts.
        fit_on: the dataset that models are fitted on, where it is not the one they are asked on.
        tuned: searches that chose settings, by model; their settings are among ``settings``.
        observers: who is told of the cells, with which options.
    """

    models: tuple[str, ...]
    data: tuple[str, ...]
    protocol: str = DEFAULT
    seeds: tuple[int, ...] = (0,)
    preset: str = "auto"
    limit: int | None = None
    processes: int = 1
    settings: tuple[str, ...] = ()
    fit_on: str | None = None
    tuned: Mapping[str, Tuning] = field(default_factory=dict)
    observers: Mapping[str, dict[str, Any]] = field(default_factory=dict)


def make_grid(
    file: Path | None = None,
    *,
    settings: Sequence[str] = (),
    tuned: Sequence[Path] = (),
    **given: Any,
) -> Grid:
    """One grid of a file and of fields of ``Grid``; a field that is given wins.

    ``models`` and ``data`` may be texts, comma-separated; what is None or empty is not given.
    ``settings`` come after those of the file. ``tuned`` are files that ``mmbench tune`` wrote, of
    which the settings are taken, not the models nor the data. Raises UsageError.
    """
    found = read_grid(file) if file else {}
    chosen = [*found.pop("settings", []), *settings]
    for path in tuned:
        best = read_grid(path)
        if "tuned" not in best:
            raise UsageError(f"{path} is not a file of mmbench tune: it has no table [tuned]")
        chosen = [*best["settings"], *chosen]
        found["tuned"] = {**found.get("tuned", {}), **best["tuned"]}
    found |= {name: value for name, value in given.items() if value not in (None, "", [], ())}
    for name in ("models", "data"):
        asked = found.get(name) or ()
        found[name] = tuple(split_list(asked) if isinstance(asked, str) else map(str, asked))
        if not found[name]:
            raise UsageError(f"say which {name}: --{name} a,b or a grid file with {name}")
    found["seeds"] = parse_seeds(found.get("seeds", 1))
    grid = Grid(**found, settings=tuple(chosen))
    if grid.preset not in SIZES:
        raise UsageError(f"--preset is auto, paper, small or tiny, not {grid.preset}")
    return grid


def read_grid(path: Path) -> dict[str, Any]:
    """A grid file's keys, checked; the same words as the flags. Raises UsageError."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not a TOML file: {error}") from error
    for key in found:
        if key not in GRID_KEYS:
            raise UsageError(f"{path}: unknown key {key!r}.{did_you_mean(key, GRID_KEYS)}")
    for key in ("models", "data"):
        if isinstance(found.get(key), str):
            found[key] = [found[key]]
    try:
        tuned = GridFile.model_validate(found).tuned
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise UsageError(f"{path}: {where}: {problem['msg']}, not {problem['input']!r}") from error
    tables = [(model, {**one.held, **one.settings}) for model, one in tuned.items()]
    found["settings"] = [
        write_setting(f"{model}.{key}", value)
        for model, values in [*tables, *found.pop("set", {}).items()]
        for key, value in values.items()
    ]
    if isinstance(found.get("observers"), list):
        found["observers"] = parse_observers(found["observers"])
    return found | ({"tuned": tuned} if tuned else {})


def parse_seeds(value: str | int | list[int]) -> tuple[int, ...]:
    """``3`` means seeds 0, 1, 2; ``0,7`` or a list means just those."""
    if isinstance(value, list):
        seeds = tuple(value)
    elif isinstance(value, int) or "," not in value:
        try:
            seeds = tuple(range(int(value)))
        except ValueError:
            raise UsageError(f"seeds is a count or a list such as 0,1,2, not {value!r}") from None
    else:
        try:
            seeds = tuple(int(part) for part in value.split(",") if part.strip())
        except ValueError:
            raise UsageError(f"seeds is a count or a list such as 0,1,2, not {value!r}") from None
    if not seeds or min(seeds) < 0 or len(set(seeds)) != len(seeds):
        raise UsageError(
            "seeds must be at least one, distinct, and not negative; a number alone is a count, "
            "and with a comma behind it one seed"
        )
    return seeds


def write_setting(name: str, value: Any) -> str:
    """``model.key=value`` as ``--set`` takes it; what is no text is written as JSON."""
    return f"{name}={value if isinstance(value, str) else json.dumps(value)}"
