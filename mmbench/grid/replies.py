"""What a plugin's process may say, checked before anything is made of it.

The other side is not trusted: a plugin may write to the channel itself. So each message has a
shape, each text a length and each number a range, and what is otherwise fails the cell with a
sentence that says what came.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from mmbench.grid.about import About
from mmbench.grid.declaration import Declaration, Name, demand_legible
from mmbench.problems import legible

SHOWN = 80  # characters of what is not right
REASON, TRACEBACK, UNIT = 4000, 20_000, 40  # characters
SIZES = 10  # presets that ``auto`` may choose from
EXAMPLES, TEXTS, TEXT = 24, 12, 2000  # of a cell, of an example, and characters of a text
PARAMETERS = 10**14  # a hundred times the largest model there is


class ReplyError(ValueError):
    """A plugin's process said what it may not; the message says what."""


class Reply(BaseModel):
    """A message, or a part of one."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Wall(Reply):
    """The first message of a process: what stands around it."""

    event: Literal["wall"]
    name: str = Field(pattern=r"^(landlock:\d{1,4}(, no TCP wall)?|process)$")


class Point(Reply):
    """``run.log``; see ``curves.check_point``."""

    event: Literal["log"]
    step: int
    values: dict[str, float]


class Progress(Reply):
    """``run.progress``."""

    event: Literal["progress"]
    done: float
    total: float
    unit: Annotated[str, Field(max_length=UNIT), AfterValidator(demand_legible)]


def _demand_printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it holds what is not printed, such as a line's end")
    return text


Heading = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_demand_printable)]


class Example(Reply):
    """``run.example``; texts are cut."""

    event: Literal["example"]
    title: Heading
    texts: dict[Heading, Annotated[str, AfterValidator(lambda text: legible(text, TEXT))]] = Field(
        min_length=1, max_length=TEXTS
    )


class Validate(Reply):
    """``run.validate``."""

    event: Literal["validate"]
    limit: int | None = Field(ge=1)


class Failure(Reply):
    """What the plugin raised. Texts are cut: an exception may say anything."""

    type: str
    message: str
    usage: bool
    memory: bool
    traceback: str

    @property
    def reason(self) -> str:
        """In a line or a few."""
        return legible(f"{self.type}: {self.message}", REASON)

    @property
    def trace(self) -> str:
        """The end of its traceback."""
        return legible(self.traceback[-TRACEBACK:], TRACEBACK)


class Layout(Reply):
    """An array in a file: numpy's name of its type, and its shape."""

    dtype: str = Field(max_length=8)
    shape: list[Annotated[int, Field(ge=0)]] = Field(max_length=8)


class Fitted(Reply):
    """``fit`` has ended; ``parameters`` as in ``session.parameter_count``."""

    parameters: int | None = Field(ge=0, le=PARAMETERS)


class Scored(Reply):
    """``score`` has ended: the parts of its answer, and the items' vectors where they are new."""

    answer: dict[str, Layout] = Field(max_length=2)
    item_vectors: Layout | None = None


class Embedded(Reply):
    """An embedding hook has ended: the matrix of each space."""

    spaces: dict[str, Layout] = Field(max_length=3)


class Kept(Reply):
    """``keep`` has ended: the bytes of the file with its arrays."""

    size: int = Field(ge=0)


class Options(Reply):
    """What a plugin's class declares: in one preset, or in each that ``auto`` may take."""

    options: list[Declaration] = Field(min_length=1, max_length=SIZES)


class Introduced(Reply):
    """What a class tells about itself."""

    about: About


class Examined(Reply):
    """What a new instance holds and offers, see ``session.examine``."""

    hooks: dict[Name, list[Name]]
    beyond_config: list[Name] = Field(max_length=1000)
    frozen: bool
    survives_json: bool


Kind = TypeVar("Kind", bound=Reply)


def read(kind: type[Kind], message: Mapping[str, Any], about: str) -> Kind:
    """The message as what it should be; ``about`` names it. Raises ReplyError."""
    try:
        return kind.model_validate(message)
    except ValidationError as error:
        raise _explain(error, about) from None


def read_declared(message: Mapping[str, Any]) -> list[Declaration]:
    """What a class declares, of which a record can hold all. Raises ReplyError."""
    return _read_stored(Options, message, "what the class declares").options


def read_about(message: Mapping[str, Any]) -> About:
    """What a class tells about itself. Raises ReplyError."""
    return _read_stored(Introduced, message, "what the class tells").about


def _read_stored(kind: type[Kind], message: Mapping[str, Any], about: str) -> Kind:
    """A message that is made of data classes, and that a file can hold. Raises ReplyError."""
    try:
        json.dumps(message, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ReplyError(f"{about}: a text holds half a character, which no file can") from None
    try:
        return kind.model_validate_json(json.dumps(message))
    except ValidationError as error:
        raise _explain(error, about) from None


def _explain(error: ValidationError, about: str) -> ReplyError:
    problem = error.errors(include_url=False, include_context=False)[0]
    where = ".".join([about, *map(str, problem["loc"])])
    given = repr(problem["input"])
    short = given if len(given) <= SHOWN else f"{given[:SHOWN]}..."
    return ReplyError(f"{where[:SHOWN]}: {problem['msg']}, not {short}")
