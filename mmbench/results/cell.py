"""A cell's identity: everything that changes its numbers, and a name made from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)


class Part(BaseModel):
    """A part of what is stored: it never changes, and no figure in it is NaN or infinite."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Source(Part):
    """A dataset that a model is fitted on.

    ``fingerprints`` has the digest of its ``events``, and those of its ``text`` and ``pictures``
    where the model reads them.
    """

    dataset: str
    fingerprints: dict[str, str]


class Cell(Part):
    """Model + version + code + whole resolved config + data + protocol + seed, and what else.

    Attributes:
        id: made from all the others; give none. (Only a record of schema 1, whose cells were spelt
            otherwise, keeps the one it was stored under.)
        model, distribution, version: whose it is.
        code: 16 hex digits over the code that can move a number; empty where that is not known.
        config: the whole of it, JSON-able.
        weights: the pretrained weights that it loads: source to ``commit:<40 hex digits>`` of a
            hub, or ``sha256:<64 hex digits>`` of what was read.
        dataset, fingerprints: what it is asked on, as in ``Source``.
        protocol: a protocol's name.
        seed: the model's.
        limit: so many users only, a smoke run.
        processes: that fit the model together, each on a part of every batch; None for one.
        upstream: the cell whose item embeddings it starts from.
        fit_on: the dataset that it is fitted on, where that is another one.
        together: all that it is fitted on, where on several.
    """

    id: str = Field(default="", pattern=r"^([0-9a-f]{12})?$")
    model: str
    distribution: str
    version: str
    code: str = ""
    config: dict[str, Any]
    dataset: str
    fingerprints: dict[str, str]
    protocol: str
    seed: int
    limit: int | None = None
    processes: int | None = None
    weights: dict[str, str] | None = None
    upstream: Cell | None = None
    fit_on: Source | None = None
    together: tuple[Source, ...] | None = None

    @model_validator(mode="after")
    def _name(self) -> Cell:
        if not self.id:
            object.__setattr__(self, "id", self.digest())
        return self

    @model_serializer(mode="wrap")
    def _plain(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value is not None}

    def digest(self) -> str:
        """Twelve hex digits of the sha256 of the canonical JSON of all but the id.

        Raises ValueError where the config holds NaN or an infinity.
        """
        identity = self.model_dump(exclude={"id"})
        return hashlib.sha256(canonical(identity).encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """The cell as it is stored, id first; of the last five only what was given."""
        return self.model_dump(mode="json")


def canonical(value: Any) -> str:
    """JSON with sorted keys, no spaces and no NaN: one text for one value.

    Raises ValueError on NaN and infinities, which have no place in a config.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def differences(
    one: Mapping[str, Any], other: Mapping[str, Any], of: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """What two cells, as JSON-able data, differ in: ``("config.dim", 64, 128)``; never the id."""
    for name in dict.fromkeys([*one, *other]):
        first, second = one.get(name), other.get(name)
        if name == "id" or first == second:
            continue
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            yield from differences(first, second, f"{of}{name}.")
        else:
            yield f"{of}{name}", first, second
