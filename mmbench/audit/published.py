"""The arithmetic gate for figures that others printed: a CSV file in, findings out.

The file has a line for each figure: ``paper, table, dataset, protocol, model, metric, value``.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmbench.audit.gate import (
    canonical,
    check_first,
    check_growth,
    check_mrr,
    check_ndcg,
    check_range,
)
from mmbench.problems import UserError

COLUMNS = ("paper", "table", "dataset", "protocol", "model", "metric", "value")

Key = tuple[str, str, str, str, str]
Kind = Literal["range", "gate", "hit@1", "mrr", "outside"]


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """All that a table prints for one model on one dataset; ``metrics`` by their printed names."""

    paper: str
    table: str
    dataset: str
    protocol: str
    model: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a row.

    Attributes:
        row: the row.
        kind: ``range``: a figure lies outside 0 to 1, or falls as its cutoff grows; ``gate``: its
            ``hit@k`` and ``ndcg@k`` are impossible together; ``hit@1``: they are with ``ndcg@1``,
            which was not printed but equals ``hit@1``; ``mrr``: its ``mrr`` is impossible beside
            its ``hit@k``; ``outside``: the figures show more than one target a query, so that all
            but 0 to 1 does not apply (and nothing is said of their being right).
        messages: the arithmetic, a sentence each.
    """

    row: PublishedRow
    kind: Kind
    messages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """The findings on a file, in its order.

    Attributes:
        rows: all rows of the file.
        findings: at most one of each kind for a row; beside ``outside`` only ``range``.
        unchecked: rows without two figures that bind each other, such as a lone ``ndcg@20``; it
            is only known to lie in its range.
    """

    rows: tuple[PublishedRow, ...]
    findings: tuple[Finding, ...]
    unchecked: tuple[PublishedRow, ...]

    def of(self, kind: Kind) -> tuple[Finding, ...]:
        """The findings of one kind."""
        return tuple(finding for finding in self.findings if finding.kind == kind)


def read_published(path: Path) -> list[PublishedRow]:
    """The rows of a file. Raises UserError that names the line where it cannot be read."""
    rows: dict[Key, dict[str, float]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise UserError(
                    f"{path}: no column {', '.join(missing)}; the first line must name the columns "
                    + ",".join(COLUMNS)
                )
            for line in reader:
                key, metric, value = _figure(line, f"{path}, line {reader.line_num}")
                row = rows.setdefault(key, {})
                if metric in row:
                    raise UserError(
                        f"{path}, line {reader.line_num}: {metric} of {key[-1]} is there twice; "
                        "tell the rows apart by their table, dataset, protocol or model"
                    )
                row[metric] = value
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a CSV file in UTF-8: {error}") from error
    return [
        PublishedRow(paper, table, dataset, protocol, model, metrics)
        for (paper, table, dataset, protocol, model), metrics in rows.items()
    ]


def _figure(line: Mapping[str, str | None], where: str) -> tuple[Key, str, float]:
    fields = [line[name] for name in COLUMNS]
    texts = [text.strip() for text in fields if text is not None]
    if len(texts) < len(COLUMNS) or None in line:
        raise UserError(f"{where}: not as many fields as columns; quote fields that hold a comma")
    try:
        value = float(texts[-1])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{where}: the value {texts[-1]!r} is not a number; leave the line out")
    paper, table, dataset, protocol, model, metric, _ = texts
    return (paper, table, dataset, protocol, model), metric, value


def audit(rows: Iterable[PublishedRow]) -> Audit:
    """Put each row through the gate.

    How many targets a query has is a matter of a paper's protocol: where one row shows more than
    one, all rows of that paper and protocol lie outside the gate's assumption.
    """
    rows = tuple(rows)
    several: dict[tuple[str, str], str] = {}
    for row in rows:
        for text in several_targets(row.metrics):
            several.setdefault((row.paper, row.protocol), f"{row.model}, table {row.table}: {text}")
    findings: list[Finding] = []
    unchecked: list[PublishedRow] = []
    for row in rows:
        known = {name: value for name, value in row.metrics.items() if canonical(name)}
        one_target = (row.paper, row.protocol) not in several
        if found := [*check_range(known), *(check_growth(_widest(known)) if one_target else ())]:
            findings.append(Finding(row, "range", tuple(found)))
        if not one_target:
            own = several_targets(row.metrics)
            said = own or ("same protocol as " + several[row.paper, row.protocol],)
            findings.append(Finding(row, "outside", tuple(said)))
        elif not _bound(row.metrics):
            unchecked.append(row)
        else:
            findings.extend(_gate(row))
    return Audit(rows, tuple(findings), tuple(unchecked))


def several_targets(metrics: Mapping[str, float]) -> tuple[str, ...]:
    """The figures of a row that cannot be had with one target a query, a sentence each.

    With one target precision@k is hit@k / k, recall@k is hit@k, and nobody needs MAP.
    """
    half = 0.5 * 10.0 ** -max((_decimals(value) for value in metrics.values()), default=0)
    values = _values(metrics)
    said = []
    for name, found in values.items():
        head, _, cutoff = name.partition("@")
        hits = values.get(f"hit@{cutoff}")
        if head == "precision" and hits:
            k, precision = int(cutoff), min(found)
            if all(abs(precision - hit / k) > half * (1 + 1 / k) + 1e-9 for hit in hits):
                said.append(
                    f"precision@{k} = {precision:g}, but hit@{k} / {k} = {max(hits) / k:.4g}: "
                    "more than one target a query"
                )
        elif head == "hit" and max(found) - min(found) > 2 * half + 1e-9:
            said.append(
                f"recall@{cutoff} and hit@{cutoff} differ ({min(found):g}, {max(found):g}): "
                "more than one target a query"
            )
        elif head == "map":
            said.append(f"{name} = {max(found):g} is a figure for more than one target a query")
    return tuple(said)


def _gate(row: PublishedRow) -> Iterator[Finding]:
    metrics = _widest(row.metrics)
    checks: tuple[tuple[Kind, list[str]], ...] = (
        ("gate", check_ndcg(metrics)),
        ("hit@1", check_first(metrics)),
        ("mrr", check_mrr(metrics)),
    )
    for kind, messages in checks:
        if messages:
            yield Finding(row, kind, tuple(messages))


def _widest(metrics: Mapping[str, float]) -> dict[str, float]:
    """By canonical name, the largest value of each."""
    return {name: max(values) for name, values in _values(metrics).items()}


def _values(metrics: Mapping[str, float]) -> dict[str, list[float]]:
    """The values by canonical name: a row may print one metric under two names."""
    values: dict[str, list[float]] = {}
    for metric, value in metrics.items():
        name = canonical(metric)
        if name is not None:
            values.setdefault(name, []).append(value)
    return values


def _bound(metrics: Mapping[str, float]) -> bool:
    """Whether any two figures of the row bind each other."""
    names = _values(metrics)
    hits = [name for name in names if name.startswith("hit@")]
    return len(hits) > 1 or any(
        f"ndcg@{name.partition('@')[2]}" in names or "mrr" in names for name in hits
    )


def _decimals(value: float) -> int:
    return len(f"{value:.10f}".rstrip("0").partition(".")[2])
