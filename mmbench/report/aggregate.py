"""From single records to boards: one row for each thing that was run, averaged over its seeds."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmbench.audit import violations
from mmbench.protocol.candidate_sets import FULL, UNSEEN, set_order
from mmbench.protocol.metrics import HEADLINE
from mmbench.report.caveats import Ranks, Sensitivity, sensitivity
from mmbench.report.notes import notes
from mmbench.report.papers import Comparison, compare
from mmbench.results.cell import Cell
from mmbench.results.record import Record

COSTS = ("fit_seconds", "score_seconds_per_1000", "peak_memory_mb", "parameters")

Figures = dict[str, dict[str, "Estimate"]]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over ``n`` seeds and its sample standard deviation (``n - 1``; None for one seed)."""

    mean: float
    sd: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        """The estimate from at least one value; the order of the values does not matter."""
        sd = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), sd, len(values))


@dataclass(frozen=True, slots=True)
class Row:
    """One model with one config and version, all its seeds.

    Attributes:
        name: as boards show it; unique in a board as far as configs differ.
        records: by seed, finished or not.
        metrics, beyond: candidate set to metric to estimate, over the finished seeds.
        tie_rate, unanswered: candidate set to mean share of queries.
        cost: the means of ``COSTS`` where known.
        violations: what the arithmetic gate says against the figures, set and seed named.
        notes: what a reader must know before comparing this row with its neighbours.
    """

    name: str
    records: tuple[Record, ...]
    metrics: Figures
    beyond: Figures
    tie_rate: dict[str, float]
    unanswered: dict[str, float]
    cost: dict[str, float]
    violations: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def done(self) -> tuple[Record, ...]:
        """The finished records."""
        return tuple(record for record in self.records if record.done)

    @property
    def failed(self) -> tuple[Record, ...]:
        """The records without figures, whatever the reason."""
        return tuple(record for record in self.records if not record.done)

    @property
    def first(self) -> Record:
        """A record that speaks for all of the row in what seeds do not change."""
        return (self.done or self.records)[0]

    def figure(self, candidates: str, metric: str) -> Estimate | None:
        """The estimate, or None where the row has none."""
        return self.metrics.get(candidates, {}).get(metric)

    @property
    def tiny(self) -> bool:
        """Whether this is a tiny stand-in."""
        return self.first.tiny

    @property
    def small(self) -> bool:
        """Whether it ran on smaller pretrained weights than the real thing's."""
        return self.first.small


@dataclass(frozen=True, slots=True)
class Board:
    """All rows that answer one question: one protocol on one prepared dataset.

    Rows of smoke runs (``limit``) come last; otherwise the best headline figure comes first, on
    ``unseen`` where nobody buys twice, else on ``full``.
    ``sensitivity``: what a board of few queries could show; None for others.
    """

    protocol: str
    dataset: str
    fingerprint: str
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]
    sensitivity: Sensitivity | None = None

    @property
    def records(self) -> tuple[Record, ...]:
        """All records, row by row."""
        return tuple(record for row in self.rows for record in row.records)

    @property
    def facts(self) -> Record:
        """A record that speaks for the data: one of a whole run where there is one."""
        return min(self.records, key=lambda r: (r.cell.limit is not None, not r.done, r.cell.id))

    @property
    def sets(self) -> tuple[str, ...]:
        """The candidate sets that some row has figures for: the main one, then as usual."""
        present = {name for row in self.rows for name in row.metrics}
        return tuple(sorted(present, key=lambda name: (name != self.main, set_order(name))))

    @property
    def main(self) -> str:
        """The set that rows are ordered by: the useful question of this data."""
        return _main(self.rows)

    def ranked(self, candidates: str, metric: str = HEADLINE) -> tuple[Row, ...]:
        """The finished rows, best figure on this set first, then by name."""
        return tuple(sorted((r for r in self.rows if r.done), key=_order(candidates, metric)))


def make_boards(
    records: Iterable[Record],
    stale: Collection[str] = frozenset(),
    ranks: Ranks | None = None,
) -> list[Board]:
    """The boards of these records (one a cell), ordered by protocol, dataset and fingerprint.

    Rows with figures that are arithmetically impossible are marked, never dropped; so are those of
    ``stale`` cells (by id), whose code is no longer what it was. ``ranks`` reads a record's ranks,
    from which a board of few queries tells what it could show.
    """
    groups: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        cell = record.cell
        groups[cell.protocol, cell.dataset, cell.fingerprints.get("events", "")].append(record)
    boards = [_board(*key, groups[key], stale) for key in sorted(groups)]
    return [
        replace(board, sensitivity=sensitivity(board.rows, board.facts.queries, ranks))
        for board in boards
    ]


def _board(
    protocol: str,
    dataset: str,
    fingerprint: str,
    records: Iterable[Record],
    stale: Collection[str],
) -> Board:
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[_identity(record)].append(record)
    rows = _tell_apart([_row(groups[key]) for key in sorted(groups)])
    rows = [replace(row, notes=tuple(notes(row, rows, stale))) for row in rows]
    rows.sort(key=_order(_main(rows)))
    comparisons = [
        comparison
        for row in rows
        if row.done and row.first.cell.limit is None
        for comparison in compare(
            row.name, row.done, _means(row.metrics), stand_in=row.tiny, small=row.small
        )
    ]
    comparisons.sort(key=lambda c: (set_order(c.candidates), c.metric, c.name, c.source, c.model))
    return Board(protocol, dataset, fingerprint, tuple(rows), tuple(comparisons))


def _identity(record: Record) -> str:
    """What the seeds of one row share, as text."""
    cell = _without_seed(record.cell.to_json())
    return _text([record.label, record.preset, record.wall.partition(":")[0], cell])


def _without_seed(cell: dict[str, Any]) -> dict[str, Any]:
    """A cell as far as all seeds of a row share it, and so its upstream."""
    shared = {key: value for key, value in cell.items() if key not in ("id", "seed")}
    return shared | ({"upstream": _without_seed(cell["upstream"])} if "upstream" in cell else {})


def _row(records: Iterable[Record]) -> Row:
    ordered = tuple(sorted(records, key=lambda r: (r.cell.seed, r.cell.id)))
    done = [record for record in ordered if record.done]
    costs = {name: [getattr(record.cost, name) for record in done] for name in COSTS}
    known = {name: [v for v in values if v is not None] for name, values in costs.items()}
    return Row(
        name=ordered[0].label,
        records=ordered,
        metrics=_estimates([record.metrics for record in done]),
        beyond=_estimates([record.beyond for record in done]),
        tie_rate=_shares([record.tie_rate for record in done]),
        unanswered=_shares([record.unanswered for record in done]),
        cost={name: statistics.fmean(values) for name, values in known.items() if values},
        violations=tuple(
            f"{candidates}, seed {record.cell.seed}: {violation}"
            for record in done
            for candidates in sorted(record.metrics, key=set_order)
            for violation in violations(record.metrics[candidates])
        ),
    )


def _estimates(figures: Sequence[Mapping[str, Mapping[str, float]]]) -> Figures:
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for sets in figures:
        for candidates, metrics in sets.items():
            for metric, value in metrics.items():
                values[candidates][metric].append(value)
    return {
        candidates: {metric: Estimate.of(values[candidates][metric]) for metric in sorted(metrics)}
        for candidates, metrics in sorted(values.items(), key=lambda pair: set_order(pair[0]))
    }


def _means(figures: Figures) -> dict[str, dict[str, float]]:
    return {name: {m: e.mean for m, e in metrics.items()} for name, metrics in figures.items()}


def _shares(shares: Sequence[Mapping[str, float]]) -> dict[str, float]:
    wrapped = _estimates([{name: {"": value} for name, value in one.items()} for one in shares])
    return {name: metrics[""].mean for name, metrics in wrapped.items()}


def _main(rows: Sequence[Row]) -> str:
    """``unseen`` where no target is in its user's history; else ``full``.

    Records tell the share of such targets; of older ones the ranks do, as such a query has no
    answer on ``unseen``, whichever the model.
    """
    told = {record.data.repeated_targets for row in rows for record in row.done} - {None}
    unanswered = [row.unanswered[UNSEEN.name] for row in rows if UNSEEN.name in row.unanswered]
    once = not any(told) if told else 0.0 in unanswered
    return UNSEEN.name if unanswered and once else FULL.name


def _order(candidates: str, metric: str = HEADLINE) -> Callable[[Row], tuple[Any, ...]]:
    """Whole runs first, then by a metric, best first, then by what is shown."""

    def key(row: Row) -> tuple[Any, ...]:
        figure = row.figure(candidates, metric)
        place = float("inf") if figure is None else -figure.mean
        smoke = row.first.cell.limit is not None
        return not row.done, smoke, place, row.name, _identity(row.first)

    return key


def _tell_apart(rows: Sequence[Row]) -> list[Row]:
    """Rows of one name and several configs get the settings that differ: ``sasrec [dim=64]``."""
    families: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        families[row.name].append(row)
    return [replace(row, name=row.name + _setting(row, families[row.name])) for row in rows]


def _setting(row: Row, family: Sequence[Row]) -> str:
    settings = [_settings(other) for other in family]
    keys = sorted({key for setting in settings for key in setting})
    telling = [key for key in keys if len({setting.get(key) for setting in settings}) > 1]
    mine = _settings(row)
    return f" [{', '.join(f'{k}={mine[k]}' for k in telling if k in mine)}]" if telling else ""


def _settings(row: Row) -> dict[str, str]:
    cell = row.first.cell
    config = {
        key: value if isinstance(value, str) else _text(value) for key, value in cell.config.items()
    }
    named = {"distribution": cell.distribution, "version": cell.version, "code": cell.code[:8]}
    if cell.upstream:
        named |= {"upstream's version": cell.upstream.version}
        named |= {"upstream's code": cell.upstream.code[:8]}
        named |= {"upstream's weights": _weights(cell.upstream)}
    named |= {"weights": _weights(cell)}
    return {**config, **named}


def _weights(cell: Cell) -> str:
    """The commits and digests of a cell's pretrained weights, eight hex digits each."""
    return "+".join(told.partition(":")[2][:8] for told in (cell.weights or {}).values())


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
