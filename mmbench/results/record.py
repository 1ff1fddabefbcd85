"""A cell's result: the one schema, which the grid writes and reports read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError

from mmbench.hookspecs import Published
from mmbench.problems import UserError, legible
from mmbench.results.cell import Cell, Part, canonical
from mmbench.results.former import from_schema_1
from mmbench.results.tuning import Tuning

SCHEMA = 2
READABLE = (1, 2)
UNSEALED = "unsealed"  # instead of the digest of ranks, in records of schema 1
MADE = ("metrics", "tie_rate", "unanswered", "queries")  # of the ranks, whenever it is read
LONGEST = 65_536  # characters of a reason or a traceback

Kind = Literal["done", "failed", "timeout", "out-of-memory", "not-applicable"]
KINDS: tuple[str, ...] = get_args(Kind)


class ResultError(UserError):
    """A record that is no result, or one that this version cannot read."""


class SchemaError(ResultError):
    """A record of a newer schema than this version knows."""


class Status(Part):
    """How a cell ended, and why."""

    kind: Kind
    reason: str = ""
    traceback: str = ""


class Data(Part):
    """What the dataset says of itself, from its card.

    ``time`` is ``timestamps`` or ``positions``; where there are timestamps, ``tied_targets`` is the
    share of users whose last event is at the time of the one before, and ``ties`` says what orders
    such events, ``hash`` or ``source``. ``scripts`` are the shares of titles in each script,
    ``cold_targets`` and ``repeated_targets`` of users, as in ``mmbench.data.card.describe``, and
    ``pictures`` counts those that are ``named`` and ``decoded``; all empty in older records.
    """

    name: str = ""
    remarks: tuple[str, ...] = ()
    licence: str = ""
    ceilings: dict[str, float] = {}
    time: str | None = None
    ties: str | None = None
    tied_targets: float | None = None
    cold_targets: float | None = None
    repeated_targets: float | None = None
    scripts: dict[str, float] = {}
    pictures: dict[str, int] = {}


class Cost(Part):
    """Seconds of wall time, megabytes, and the number of trainable parameters.

    All but the last are measured by the harness: the seconds of the plugin's turns, from a command
    to its answer. To fit: ``fit`` and ``transfer`` with the scores for validations, without what
    the harness makes of those. To score: ``score`` for the test queries, and the hand-over of the
    answers. Importing the plugin is neither. The peak is that of the process and all it started.
    """

    fit_seconds: float | None = None
    score_seconds: float | None = None
    score_seconds_per_1000: float | None = None
    peak_memory_mb: float | None = None
    parameters: int | None = None


class Drawn(Part):
    """The ``least`` and the ``most`` negatives that a query has in a sampled set."""

    least: int
    most: int


class Spaces(Part):
    """A multimodal model's embeddings: their geometry, and what each modality finds by itself.

    ``geometry`` maps space to figure to value, ``modalities`` maps ``f2f``, ``t2f``, ``v2f`` to
    candidate set to metric to value.
    """

    geometry: dict[str, dict[str, float]] = {}
    modalities: dict[str, dict[str, dict[str, float]]] = {}
    embed_seconds: float | None = None


class Environment(Part):
    """Where a cell ran; recorded beside the identity, no part of it.

    ``threads``: what its libraries were told to take; sums in another number of them may round
    otherwise. ``ranked_by``: the library that counted, which changes no number. ``resumed``: which
    attempt's checkpoints the fit began with; empty where it began at the start.
    """

    python: str = ""
    platform: str = ""
    cpu: str = ""
    cores: int | None = None
    threads: int | None = None
    gpu: str | None = None
    packages: dict[str, str] = {}
    commit: str | None = None
    dirty: bool | None = None
    ranked_by: str = ""
    resumed: str = ""


class Record(Part):
    """One cell's result.

    Attributes:
        cell: what was run.
        label: as boards call its row.
        status: how it ended.
        stand_in: whether the config stands in for the real one; not told before there was the word.
        preset, loss, needs, known_failures, papers: as the model's class declares them.
        metrics, beyond: candidate set to metric to value. Of a stored record, metrics are not what
            its file says, but what its ranks come to, see ``mmbench.results.figures``.
        tie_rate, unanswered: candidate set to share of queries; read as metrics are.
        draws: False where the class declares that every seed gives the same; not told before there
            was the word.
        drawn: sampled set to how many negatives its queries have.
        queries, catalogue, users, events: counts of the test fold and the dataset.
        candidates_sha256: over the candidates of the sampled sets, keyed with the log's secret.
        ranks_sha256: over the bytes of the file of ranks; empty where there is none, ``UNSEALED``
            where it is not known.
        top_sha256: over the bytes of the file of top lists; empty where there is none, and in
            records from before there was the word.
        seal: of the record as it was stored, see ``seal_of``; empty in older ones.
        curves: name to ``(step, value)``.
        device: as in ``cuda``.
        wall: what kept the targets from the plugin: ``landlock:<abi>``, ``process`` or ``none``;
            ``, no TCP wall`` after it where its processes had the machine's network.
        tuning: the search that chose its settings, where one did.
        validations: how often it asked for its figure on the validation fold.
        started: ISO 8601, UTC.
        seconds: of wall time, from start to end.
        contributor: who ran it, where it lies below ``contributed/<name>``; its place tells that,
            so it is never stored.
    """

    cell: Cell
    label: str
    status: Status
    preset: str = "paper"
    stand_in: bool | None = None
    loss: str | None = None
    draws: bool | None = None
    needs: tuple[str, ...] = ()
    known_failures: dict[str, str] = {}
    metrics: dict[str, dict[str, float]] = {}
    beyond: dict[str, dict[str, float]] = {}
    tie_rate: dict[str, float] = {}
    unanswered: dict[str, float] = {}
    drawn: dict[str, Drawn] = {}
    queries: int | None = None
    catalogue: int | None = None
    users: int | None = None
    events: int | None = None
    candidates_sha256: str | None = None
    ranks_sha256: str = ""
    top_sha256: str = ""
    seal: str = ""
    data: Data = Data()
    cost: Cost = Cost()
    curves: dict[str, list[tuple[int, float]]] = {}
    spaces: Spaces = Spaces()
    papers: tuple[Published, ...] = ()
    environment: Environment = Environment()
    device: str = ""
    wall: str = Field(default="none", pattern=r"^(landlock:\d+(, no TCP wall)?|process|none)$")
    tuning: Tuning | None = None
    validations: int = 0
    started: str = ""
    seconds: float = 0.0
    contributor: str = Field(default="", exclude=True)

    @property
    def done(self) -> bool:
        """Whether the cell has figures."""
        return self.status.kind == "done"

    @property
    def tiny(self) -> bool:
        """Whether this is a tiny stand-in's."""
        return is_tiny(self.preset) if self.stand_in is None else self.stand_in

    @property
    def small(self) -> bool:
        """Whether it ran on smaller pretrained weights than the real thing's."""
        return self.preset.split("/")[-1] == "small"

    def changed(self, **fields: Any) -> Record:
        """The record with other fields, checked. Raises ValidationError, a ValueError."""
        return Record.model_validate({**dict(self), **fields})

    def failed(self, kind: str, reason: str, traceback: str = "") -> Record:
        """The record as a row without figures; ``kind`` is a ``Kind``."""
        status = {
            "kind": kind,
            "reason": legible(reason, LONGEST),
            "traceback": legible(traceback[-LONGEST:], LONGEST),
        }
        emptied: dict[str, Any] = {
            part: {} for part in ("metrics", "beyond", "tie_rate", "unanswered", "drawn", "spaces")
        }
        return self.changed(status=status, **emptied)

    def to_json(self) -> dict[str, Any]:
        """The record as it is stored, its schema's number first."""
        stored = {"schema": SCHEMA, **self.model_dump(mode="json")}
        return {**stored, "seal": seal_of(stored)}


def seal_of(stored: Mapping[str, Any]) -> str:
    """The sha256 over a stored record but its seal and what is made of its ranks, 64 hex digits.

    It tells an edit by accident: whoever forges a record can make it anew.
    """
    told = {name: value for name, value in stored.items() if name not in (*MADE, "seal")}
    return hashlib.sha256(canonical(told).encode()).hexdigest()


def _broken(stored: Mapping[str, Any]) -> bool:
    try:
        return bool(stored["seal"] != seal_of(stored))
    except ValueError:  # NaN, or half a character: nothing was sealed with it
        return True


def is_tiny(preset: str) -> bool:
    """Whether a preset has small random weights: ``tiny`` or a variant's, ``sft-ext/tiny``."""
    return preset.split("/")[-1] == "tiny"


def parse(stored: object) -> Record:
    """The record that a decoded JSON value holds, of whatever readable schema.

    Raises:
        SchemaError: its schema is a newer one.
        ResultError: its schema is none, it is no result, a field is missing or misshapen, or its
            cell is another than it is named.
    """
    if not isinstance(stored, Mapping) or not {"schema", "cell"} <= stored.keys():
        raise ResultError("is not a result of mmbench (no `schema` and `cell`)")
    schema = stored["schema"]
    if not isinstance(schema, int) or schema not in READABLE:
        known = ", ".join(map(str, READABLE))
        newer = isinstance(schema, int) and schema > SCHEMA
        raise (SchemaError if newer else ResultError)(
            f"has result schema {schema!r}, and this mmbench reads {known}: "
            "upgrade mmbench, or remove the file"
        )
    if stored.get("seal") and _broken(stored):
        raise ResultError("was edited, for its seal is of another content: run the cell again")
    told = stored
    if schema == 1:
        told = {**from_schema_1(stored), "ranks_sha256": UNSEALED}
    try:
        # A field that is null reads like one that is absent, as in rows of failed cells.
        said = {k: v for k, v in told.items() if v is not None and k != "contributor"}
        record = Record.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "record"
        raise ResultError(f"has a bad field `{where}`: {first['msg']}") from error
    if schema != 1 and record.cell.id != record.cell.digest():
        raise ResultError(
            f"is named {record.cell.id}, and its cell is {record.cell.digest()}: it was edited, "
            "remove it and run the cell again"
        )
    if schema != 1 and record.done and not re.fullmatch(r"[0-9a-f]{64}", record.ranks_sha256):
        raise ResultError("says `done` and holds no digest of its ranks: run the cell again")
    return record
