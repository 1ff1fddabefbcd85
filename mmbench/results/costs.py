"""What the stored cells of a model took, read from their records alone (no ranks)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmbench.files import slug
from mmbench.results.read import load_record
from mmbench.results.record import Record, ResultError


@dataclass(frozen=True, slots=True)
class CostRow:
    """What a row took on average over its finished seeds, in seconds and megabytes.

    ``where`` is the processor or GPU; a figure that no record holds is None.
    """

    dataset: str
    protocol: str
    row: str
    seeds: int
    fit_seconds: float | None
    score_seconds_per_1000: float | None
    peak_memory_mb: float | None
    parameters: int | None
    where: str


def read_costs(results: Path, model: str) -> list[CostRow]:
    """The costs of a model's rows below a folder; files that are no results are passed over.

    ``model`` is its name without a family or a variant; of a class that no package declares,
    ``module:Class``.
    """
    groups: dict[tuple[str, str, str, str], list[Record]] = defaultdict(list)
    for path in sorted(results.glob(f"*/*/{slug(model)}*/*.json")):
        try:
            record = load_record(path)
        except (OSError, ResultError):
            continue  # boards tell what cannot be read
        name = record.cell.model
        if record.done and model in (name, name.partition(":")[0]):
            machine = record.environment
            where = (machine.gpu if record.device == "cuda" else machine.cpu) or record.device
            cell = record.cell
            groups[cell.dataset, cell.protocol, record.label, where].append(record)
    return [_row(key, records) for key, records in sorted(groups.items())]


def _row(key: tuple[str, str, str, str], records: Sequence[Record]) -> CostRow:
    costs = [record.cost for record in records]
    parameters = _mean([cost.parameters for cost in costs])
    return CostRow(
        dataset=key[0],
        protocol=key[1],
        row=key[2],
        seeds=len(records),
        fit_seconds=_mean([cost.fit_seconds for cost in costs]),
        score_seconds_per_1000=_mean([cost.score_seconds_per_1000 for cost in costs]),
        peak_memory_mb=_mean([cost.peak_memory_mb for cost in costs]),
        parameters=None if parameters is None else round(parameters),
        where=key[3],
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 3) if known else None
