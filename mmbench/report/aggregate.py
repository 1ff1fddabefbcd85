"""From single results to boards: one row for each thing that was run, averaged over its seeds."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmbench.report.notes import notes
from mmbench.report.papers import Comparison, compare
from mmbench.results.record import Result

HEADLINE = "ndcg@10"
SETS = ("full", "unseen", "neg100")
COSTS = ("fit_seconds", "score_seconds_per_1000", "peak_memory_mb", "parameters")

Gate = Callable[[Mapping[str, float]], list[str]]
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
        results: by seed, finished or not.
        metrics, beyond: candidate set to metric to estimate, over the finished seeds.
        tie_rate, unanswered: candidate set to mean share of queries.
        cost: the means of ``COSTS`` where known.
        violations: what the arithmetic gate says against the figures, set and seed named.
        notes: what a reader must know before comparing this row with its neighbours.
    """

    name: str
    results: tuple[Result, ...]
    metrics: Figures
    beyond: Figures
    tie_rate: dict[str, float]
    unanswered: dict[str, float]
    cost: dict[str, float]
    violations: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def done(self) -> tuple[Result, ...]:
        """The finished results."""
        return tuple(result for result in self.results if result.done)

    @property
    def failed(self) -> tuple[Result, ...]:
        """The results without figures, whatever the reason."""
        return tuple(result for result in self.results if not result.done)

    @property
    def first(self) -> Result:
        """A result that speaks for all of the row in what seeds do not change."""
        return (self.done or self.results)[0]

    def figure(self, candidates: str, metric: str) -> Estimate | None:
        """The estimate, or None where the row has none."""
        return self.metrics.get(candidates, {}).get(metric)

    @property
    def tiny(self) -> bool:
        """Whether this is a miniature stand-in."""
        return _is_tiny(self.first.preset)


@dataclass(frozen=True, slots=True)
class Board:
    """All rows that answer one question: one protocol on one prepared dataset.

    Rows of smoke runs (``limit``) come last; otherwise the best headline figure comes first.
    """

    protocol: str
    dataset: str
    fingerprint: str
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def results(self) -> tuple[Result, ...]:
        """All results, row by row."""
        return tuple(result for row in self.rows for result in row.results)

    @property
    def facts(self) -> Result:
        """A result that speaks for the data: one of a whole run where there is one."""
        return min(self.results, key=lambda r: (r.cell.limit is not None, not r.done, r.cell.id))

    @property
    def sets(self) -> tuple[str, ...]:
        """The candidate sets that some row has figures for, in the order of boards."""
        present = {name for row in self.rows for name in row.metrics}
        return tuple(sorted(present, key=set_order))

    def ranked(self, candidates: str) -> tuple[Row, ...]:
        """The finished rows, best headline figure on this set first, then by name."""
        return tuple(sorted((r for r in self.rows if r.done), key=_order(candidates)))


def make_boards(results: Iterable[Result], *, gate: Gate) -> list[Board]:
    """The boards of these results (one a cell), ordered by protocol, dataset and fingerprint.

    ``gate`` answers what is arithmetically impossible in a row's figures (metric to value), as
    ``mmbench.audit.gate.violations`` does; such rows are marked, never dropped.
    """
    groups: dict[tuple[str, str, str], list[Result]] = defaultdict(list)
    for result in results:
        cell = result.cell
        groups[cell.protocol, cell.dataset, cell.fingerprint].append(result)
    return [_board(*key, groups[key], gate) for key in sorted(groups)]


def set_order(candidates: str) -> tuple[int, str]:
    """The key that sorts candidate sets as boards show them."""
    return SETS.index(candidates) if candidates in SETS else len(SETS), candidates


def _board(
    protocol: str, dataset: str, fingerprint: str, results: Iterable[Result], gate: Gate
) -> Board:
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        groups[_identity(result)].append(result)
    rows = _tell_apart([_row(groups[key], gate) for key in sorted(groups)])
    rows = [replace(row, notes=tuple(notes(row, rows))) for row in rows]
    rows.sort(key=_order(SETS[0]))
    comparisons = [
        comparison
        for row in rows
        if row.done and row.first.cell.limit is None
        for comparison in compare(
            row.name, row.done, _means(row.metrics), gate=gate, stand_in=row.tiny
        )
    ]
    comparisons.sort(key=lambda c: (set_order(c.candidates), c.metric, c.name, c.source, c.model))
    return Board(protocol, dataset, fingerprint, tuple(rows), tuple(comparisons))


def _identity(result: Result) -> str:
    """What the seeds of one row share, as text."""
    cell = result.cell
    parts = [display_name(result), cell.model, cell.distribution, cell.version, cell.config]
    fitted = [_without_seed(cell.upstream), cell.fit_on, cell.together]
    return _text([*parts, cell.limit, result.isolated, *fitted])


def _without_seed(cell: dict[str, Any] | None) -> dict[str, Any] | None:
    """An upstream's identity as far as all seeds of a row share it."""
    if cell is None:
        return None
    shared = {key: value for key, value in cell.items() if key not in ("id", "seed")}
    return {**shared, "upstream": _without_seed(cell.get("upstream"))}


def display_name(result: Result) -> str:
    """``name``, ``name/variant`` for another preset than ``paper``, ``name (tiny)``."""
    variant, name = result.preset, result.label
    if _is_tiny(variant):
        variant = variant.removesuffix("tiny").rstrip("/")
        name = name.removesuffix("(tiny)").rstrip()
    if variant not in ("", "paper") and not name.endswith(f"/{variant}"):
        name = f"{name}/{variant}"
    return f"{name} (tiny)" if _is_tiny(result.preset) else name


def _is_tiny(preset: str) -> bool:
    return preset == "tiny" or preset.endswith("/tiny")


def _row(results: Iterable[Result], gate: Gate) -> Row:
    ordered = tuple(sorted(results, key=lambda r: (r.cell.seed, r.cell.id)))
    done = [result for result in ordered if result.done]
    costs = {name: [getattr(result.cost, name) for result in done] for name in COSTS}
    known = {name: [v for v in values if v is not None] for name, values in costs.items()}
    return Row(
        name=display_name(ordered[0]),
        results=ordered,
        metrics=_estimates([result.metrics for result in done]),
        beyond=_estimates([result.beyond for result in done]),
        tie_rate=_shares([result.tie_rate for result in done]),
        unanswered=_shares([result.unanswered for result in done]),
        cost={name: statistics.fmean(values) for name, values in known.items() if values},
        violations=tuple(
            f"{candidates}, seed {result.cell.seed}: {violation}"
            for result in done
            for candidates in sorted(result.metrics, key=set_order)
            for violation in gate(result.metrics[candidates])
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


def _order(candidates: str) -> Callable[[Row], tuple[Any, ...]]:
    """Whole runs first, then by the headline figure, best first, then by what is shown."""

    def key(row: Row) -> tuple[Any, ...]:
        figure = row.figure(candidates, HEADLINE)
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
    return {**config, "distribution": cell.distribution}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
