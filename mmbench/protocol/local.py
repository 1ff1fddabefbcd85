"""Protocols that a user brings in a file, ``local:<name>@<digest>``.

The file is TOML; what else it names lies beside it::

    name = "mine"
    about = "The split of that paper."     # a sentence for boards
    split = "column"                       # column, files, date, ratio, or loo, time, users
    candidates = ["full", "unseen", "neg1000"]
    max_history = 50

    # split = "column": a table with a row an event, marked train, valid or test
    file = "events.csv"
    column = "split"
    # split = "files": one table for each fold, as published splits come
    files = { train = "train.inter", valid = "valid.inter", test = "test.inter" }
    # for both: its columns; the time is needed only where a user has an item twice
    user = "user_id"
    item = "item_id"
    time = "timestamp"
    # split = "date": when validation and test begin
    dates = ["2014-01-01", "2014-06-01"]
    # split = "ratio": of each user's events in time order
    ratios = [0.8, 0.1, 0.1]

    # a table of users and items that compete with the test target, as the set "file"
    negatives = "negatives.csv"

The digest is over the file and all that it names, so that results of one are never held against
those of another.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmbench.problems import UserError
from mmbench.protocol.candidate_sets import CandidateSet, find_set
from mmbench.protocol.local_splits import FOLDS, Event, Given

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import pandas as pd

FILE = "file"  # the name of the candidate set that a file has


class LocalFile(BaseModel):
    """The keys of the file; see the module."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[\w.-]{1,40}$")
    split: Literal["column", "files", "date", "ratio", "loo", "time", "users"]
    about: str = Field("", max_length=500)
    candidates: list[str] = Field(default=["full", "unseen", "neg100"], min_length=1)
    max_history: int = Field(50, ge=1)
    file: str = ""
    column: str = "split"
    files: dict[Literal["train", "valid", "test"], str] = {}
    user: str = "user_id"
    item: str = "item_id"
    time: str | None = None
    dates: list[datetime.datetime | datetime.date] = []
    ratios: list[float] = []
    cuts: tuple[float, float] = (0.8, 0.9)
    negatives: str = ""


def read_local(path: Path) -> dict[str, Any]:
    """The fields of a ``Protocol`` that a file tells. Raises UserError, DataError, OSError."""
    data = _read(path)
    try:
        told = LocalFile.model_validate(tomllib.loads(data.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path} is not a TOML file: {error}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise UserError(f"{path}: {where}: {problem['msg']}, not {problem['input']!r}") from error
    digest = hashlib.sha256(data)
    for name in filter(None, [told.file, *told.files.values(), told.negatives]):
        digest.update(hashlib.sha256(_read(path.parent / name)).digest())
    given = Given(
        marks=_marks(path, told),
        moments=_moments(path, told),
        ratios=_ratios(path, told),
        negatives=_negatives(path, told),
    )
    return {
        "name": f"local:{told.name}@{digest.hexdigest()[:16]}",
        "splitter": "column" if told.split == "files" else told.split,
        "explanation": told.about,
        "cuts": told.cuts,
        "max_history": told.max_history,
        "candidate_sets": _sets(path, told, given),
        "given": given,
    }


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _sets(path: Path, told: LocalFile, given: Given) -> tuple[CandidateSet, ...]:
    names = list(dict.fromkeys(told.candidates))
    sets = []
    for name in names:
        one = find_set(name)
        if one is None:
            raise UserError(f"{path}: candidates: {name!r} is no set: say full, unseen or neg100")
        sets.append(one)
    if given.negatives:
        sets = [one for one in sets if not one.sampled]  # a file's share no stream with drawn ones
        sets.append(
            CandidateSet(
                name=FILE,
                kind="sampled",
                title="the target and the items of a file",
                explanation="The target competes with the items that a file names for its user.",
                size=max(map(len, given.negatives.values())),
            )
        )
    return tuple(sets)


def _marks(path: Path, told: LocalFile) -> dict[Event, int]:
    tables: list[tuple[pd.DataFrame, Iterable[str]]] = []
    if told.split == "column":
        if not told.file:
            raise UserError(f"{path}: split = 'column' needs a file of marked events: file = ...")
        table = _table(path, told.file, [*_columns(told), told.column])
        tables.append((table, table[told.column]))
    elif told.split == "files":
        if set(told.files) != set(FOLDS):
            raise UserError(f"{path}: split = 'files' needs files = {{ train, valid, test }}")
        for whole, name in told.files.items():
            table = _table(path, name, _columns(told))
            tables.append((table, [str(whole)] * len(table)))
    marks: dict[Event, int] = {}
    for table, folds in tables:
        times = _seconds(path, table[told.time]).tolist() if told.time else [None] * len(table)
        for user, item, time, fold in zip(
            table[told.user].map(_id), table[told.item].map(_id), times, folds, strict=True
        ):
            if fold not in FOLDS:
                raise UserError(f"{path}: {told.column} holds {fold!r}: say train, valid or test")
            place = FOLDS.index(str(fold))
            if marks.setdefault((user, item, time), place) != place:
                raise UserError(
                    f"{path}: user {user!r} has item {item!r} in two folds: name the column of the "
                    "time, which tells them apart: time = ..."
                )
    return marks


def _moments(path: Path, told: LocalFile) -> tuple[int, int] | None:
    if told.split != "date":
        return None
    if len(told.dates) != 2:
        raise UserError(f"{path}: split = 'date' needs two dates: of validation, and of test")
    first, second = (_moment(date) for date in told.dates)
    if first >= second:
        raise UserError(f"{path}: dates: the test period begins after the validation period")
    return first, second


def _moment(date: datetime.datetime | datetime.date) -> int:
    if not isinstance(date, datetime.datetime):
        date = datetime.datetime(date.year, date.month, date.day)
    return int((date if date.tzinfo else date.replace(tzinfo=datetime.UTC)).timestamp())


def _ratios(path: Path, told: LocalFile) -> tuple[float, float, float] | None:
    if told.split != "ratio":
        return None
    if len(told.ratios) != 3 or min(told.ratios) <= 0 or abs(sum(told.ratios) - 1) > 1e-9:
        raise UserError(f"{path}: ratios: three shares of train, valid and test that add up to 1")
    train, valid, test = told.ratios
    return train, valid, test


def _negatives(path: Path, told: LocalFile) -> dict[str, tuple[str, ...]]:
    if not told.negatives:
        return {}
    table = _table(path, told.negatives, [told.user, told.item])
    found: dict[str, list[str]] = {}
    for user, item in zip(table[told.user].map(_id), table[told.item].map(_id), strict=True):
        found.setdefault(user, []).append(item)
    return {user: tuple(items) for user, items in found.items()}


def _columns(told: LocalFile) -> list[str]:
    return [told.user, told.item, *([told.time] if told.time else [])]


def _table(path: Path, name: str, columns: list[str]) -> pd.DataFrame:
    from mmbench.data.formats import read_table
    from mmbench.data.spec import file_format

    return read_table(path.parent / name, file_format(name), columns)


def _seconds(path: Path, column: pd.Series) -> np.ndarray:
    from mmbench.data.clock import split_moments, times

    return split_moments(*times(column, path))[0]


def _id(value: object) -> str:
    """An id as a prepared log has it: whole numbers lose a ``.0``."""
    return re.sub(r"^(-?\d+)\.0$", r"\1", str(value))
