"""A stored result as the report reads it: checked on the way in, so that nothing later has to ask.

Only what boards need is modelled; other fields of a result file are left alone. Records of every
schema number in ``SCHEMAS`` are readable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmbench.hookspecs import Published

SCHEMAS = (1,)

Kind = Literal["done", "failed", "timeout", "out-of-memory", "not-applicable"]
KINDS: tuple[str, ...] = get_args(Kind)


class ResultError(ValueError):
    """A record that is no result, or one that this version cannot read."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Cell(_Part):
    """The identity of a cell: everything that changes its numbers."""

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    model: str
    distribution: str
    version: str
    config: dict[str, Any]
    dataset: str
    fingerprint: str
    protocol: str
    seed: int
    limit: int | None = None
    upstream: dict[str, Any] | None = None
    fit_on: dict[str, str] | None = None
    together: list[dict[str, str]] | None = None


class Status(_Part):
    """How a cell ended, and why."""

    kind: Kind
    reason: str = ""


class Data(_Part):
    """What the dataset says of itself."""

    name: str = ""
    remarks: tuple[str, ...] = ()
    licence: str = ""
    ceilings: dict[str, float] = {}


class Cost(_Part):
    """Seconds of wall time, megabytes, and the number of trainable parameters."""

    fit_seconds: float | None = None
    score_seconds_per_1000: float | None = None
    peak_memory_mb: float | None = None
    parameters: int | None = None


class Spaces(_Part):
    """A multimodal model's embeddings: their geometry, and what each modality finds by itself.

    ``geometry`` maps space to figure to value, ``modalities`` maps ``f2f``, ``t2f``, ``v2f`` to
    candidate set to metric to value.
    """

    geometry: dict[str, dict[str, float]] = {}
    modalities: dict[str, dict[str, dict[str, float]]] = {}
    embed_seconds: float | None = None


class Environment(_Part):
    """Where a cell ran; recorded beside the identity, no part of it.

    ``threads``: what its libraries were told to take; sums in another number of them may round
    otherwise.
    """

    python: str = ""
    cpu: str = ""
    cores: int | None = None
    threads: int | None = None
    gpu: str | None = None
    packages: dict[str, str] = {}
    commit: str | None = None
    dirty: bool | None = None


class Result(_Part):
    """One cell's result; ``metrics``, ``beyond`` map candidate set to metric to value."""

    cell: Cell
    label: str
    status: Status
    preset: str = "paper"
    loss: str | None = None
    needs: tuple[str, ...] = ()
    known_failures: dict[str, str] = {}
    metrics: dict[str, dict[str, float]] = {}
    beyond: dict[str, dict[str, float]] = {}
    tie_rate: dict[str, float] = {}
    unanswered: dict[str, float] = {}
    queries: int | None = None
    catalogue: int | None = None
    users: int | None = None
    events: int | None = None
    candidates_sha256: str | None = None
    data: Data = Data()
    cost: Cost = Cost()
    curves: dict[str, list[tuple[float, float]]] = {}
    spaces: Spaces = Spaces()
    papers: tuple[Published, ...] = ()
    environment: Environment = Environment()
    device: str = ""
    isolated: bool = True
    started: str = ""

    @property
    def done(self) -> bool:
        """Whether the cell has figures."""
        return self.status.kind == "done"


def parse(record: object) -> Result:
    """The result that a decoded JSON value holds.

    Raises:
        ResultError: it is no result, its schema is unknown, or a field is missing or misshapen.
    """
    if not isinstance(record, Mapping) or "schema" not in record or "cell" not in record:
        raise ResultError("is not a result of mmbench (no `schema` and `cell`)")
    if record["schema"] not in SCHEMAS:
        known = ", ".join(map(str, SCHEMAS))
        raise ResultError(
            f"has result schema {record['schema']!r}, and this mmbench reads {known}: "
            "upgrade mmbench, or remove the file"
        )
    try:
        # A field that is null reads like one that is absent, as in rows of failed cells.
        result = Result.model_validate({k: v for k, v in record.items() if v is not None})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "record"
        raise ResultError(f"has a bad field `{where}`: {first['msg']}") from error
    if result.done and not any(result.metrics.values()):
        raise ResultError("says `done` and holds no metrics: run the cell again")
    return result
