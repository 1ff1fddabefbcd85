"""A search space: which settings are tried, from a TOML file or one that comes with mmbench.

::

    name = "mine"
    source = "where these ranges come from"
    models = ["sasrec-ce"]                     # of a space that comes with mmbench

    [settings]
    dim = [32, 64, 128]                        # one of these
    learning_rate = { low = 1e-4, high = 1e-2, log = true }
    layers = { low = 1, high = 4 }             # whole numbers, as both ends are
    dropout = { low = 0.0, high = 0.6, step = 0.1 }
"""

from __future__ import annotations

import hashlib
import itertools
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pydantic

from mmbench.problems import UserError
from mmbench.results.cell import canonical

Setting = bool | int | float | str | list[Any]


class SpaceError(UserError):
    """A search space cannot be used; the message says why."""


class Range(pydantic.BaseModel, extra="forbid", frozen=True):
    """Numbers from ``low`` to ``high``, both included; whole ones where both are whole.

    ``log``: as likely between 1 and 10 as between 10 and 100. ``step``: only so far apart.
    """

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None

    @pydantic.model_validator(mode="after")
    def _check(self) -> Range:
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError("low must be below high, and both finite")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("with log, low is above 0 and there is no step")
        if self.step is not None and self.step <= 0:
            raise ValueError("step is above 0")
        return self

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers."""
        return all(isinstance(one, int) for one in (self.low, self.high, self.step or 1))


class _File(pydantic.BaseModel, extra="forbid"):
    name: str = ""
    source: str = ""
    models: list[str] = []
    settings: dict[str, list[Setting] | Range] = pydantic.Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Space:
    """What is tried.

    Attributes:
        name: of the space or its file.
        source: where its ranges come from.
        models: which ones it is made for; empty for any.
        settings: setting to its values, or to a range.
        digest: sha256 over the settings, 12 hex digits.
    """

    name: str
    source: str
    models: tuple[str, ...]
    settings: Mapping[str, tuple[Setting, ...] | Range]
    digest: str

    def size(self) -> int | None:
        """How many points it has; None where a setting has a range."""
        lists = [values for values in self.settings.values() if isinstance(values, tuple)]
        whole = len(lists) == len(self.settings)
        return math.prod(map(len, lists)) if whole else None

    def points(self) -> Iterator[dict[str, Setting]]:
        """Every point of a space without ranges, the last setting varying fastest."""
        lists = [values for values in self.settings.values() if isinstance(values, tuple)]
        for values in itertools.product(*lists):
            yield dict(zip(self.settings, values, strict=True))


def find_space(text: str, model: str) -> Space:
    """The space of a file, or the one of that name that comes with mmbench for a model.

    Raises SpaceError: no such file or space, or one that is misshapen.
    """
    path = Path(text).expanduser()
    if text.endswith(".toml") or path.is_file():
        try:
            return read_space(path.read_text("utf-8"), text)
        except OSError as error:
            raise SpaceError(f"cannot read {text}: {error.strerror}") from error
    here = [space for space in shipped() if model in space.models]
    found = [space for space in here if space.name == text]
    if found:
        return found[0]
    known = ", ".join(space.name for space in here) or "none"
    raise SpaceError(
        f"there is no space {text!r} for {model}: mmbench brings {known}; or name a file.toml"
    )


def shipped() -> list[Space]:
    """The spaces that come with mmbench, by the names of their files."""
    folder = resources.files("mmbench.tune") / "spaces"
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return [
        read_space(file.read_text("utf-8"), file.name)
        for file in files
        if file.name.endswith(".toml")
    ]


def read_space(text: str, where: str) -> Space:
    """A space from TOML; ``where`` names it in messages. Raises SpaceError."""
    try:
        file = _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SpaceError(f"{where} is not a TOML file: {error}") from error
    except pydantic.ValidationError as error:
        problem = error.errors()[-1]  # of a list and a range, what is wrong with the range
        place = ".".join(str(part) for part in problem["loc"][:2]) or "it"
        raise SpaceError(
            f"{where}: {place}: {problem['msg']}. A setting is a list of values, or "
            "{ low = ..., high = ..., log = true }"
        ) from error
    settings: dict[str, tuple[Setting, ...] | Range] = {}
    for name, values in file.settings.items():
        if isinstance(values, list):
            if not values or len({canonical(value) for value in values}) < len(values):
                raise SpaceError(f"{where}: settings.{name}: a list of distinct values is due")
            settings[name] = tuple(values)
        else:
            settings[name] = values
    plain = {
        name: list(values) if isinstance(values, tuple) else values.model_dump()
        for name, values in settings.items()
    }
    digest = hashlib.sha256(canonical(plain).encode()).hexdigest()[:12]
    name = file.name or Path(where).stem
    return Space(name, file.source, tuple(file.models), settings, digest)
