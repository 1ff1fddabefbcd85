"""A board as plain data, for ``--json``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from mmbench.report.aggregate import Board, Figures, Row
from mmbench.report.caveats import caveats
from mmbench.report.claims import conclusion
from mmbench.report.standings import NOTHING, Evidence, Standings
from mmbench.report.view import DEFAULT, View

T = TypeVar("T")


def board_json(board: Board, evidence: Evidence = NOTHING, view: View = DEFAULT) -> dict[str, Any]:
    """The board as a JSON-able dict: data, rows best first, paper-and-ours comparisons.

    ``evidence``: what its stored ranks say (``gather``). ``view`` chooses rows and candidate sets;
    of rows that are not shown, standings tell all the same.
    """
    sets = view.sets_of(board)
    facts = board.facts
    return {
        "protocol": board.protocol,
        "dataset": board.dataset,
        "fingerprint": board.fingerprint,
        "data": facts.data.model_dump(mode="json"),
        "users": facts.users,
        "catalogue": facts.catalogue,
        "events": facts.events,
        "queries": facts.queries,
        "drawn": {name: drawn.model_dump() for name, drawn in facts.drawn.items()},
        "sensitivity": None if board.sensitivity is None else asdict(board.sensitivity),
        "caveats": caveats(board),
        "rows": [_row(row, sets) for row in _rows(board, view)],
        "standings": {n: _standings(board, s) for n, s in evidence.standings.items() if n in sets},
        "papers": [
            {**asdict(comparison), "difference": comparison.difference}
            for comparison in board.comparisons
            if comparison.candidates in sets or sets == board.sets
        ],
    }


def _standings(board: Board, standings: Standings) -> dict[str, Any]:
    """By the id of a row's first cell; pairs hold such ids."""
    family = standings.family
    found = zip(family.pairs, family.differences, family.adjusted, strict=True)
    return {
        "metric": standings.metric,
        "users": standings.users,
        "margin": standings.margin,
        "rows": {key: asdict(row) for key, row in standings.rows.items()},
        "pairs": [
            {
                "a": standings.known[a],
                "b": standings.known[b],
                "difference": asdict(told.absolute),
                "adjusted": p,
            }
            for (a, b), told, p in found
        ],
        "detectable": family.detectable(),
        "concluded": conclusion(board, standings),
    }


def _rows(board: Board, view: View) -> list[Row]:
    sets = view.sets_of(board)
    done = view.ranked(board, sets[0]) if sets else ()
    return [*done, *(row for row in board.rows if row not in done and view.shows(row))]


def _row(row: Row, sets: Collection[str]) -> dict[str, Any]:
    first = row.first
    return {
        "name": row.name,
        "model": first.cell.model,
        "preset": first.preset,
        "distribution": first.cell.distribution,
        "version": first.cell.version,
        "config": first.cell.config,
        "limit": first.cell.limit,
        "wall": first.wall,
        "loss": first.loss,
        "needs": list(first.needs),
        "seeds": [record.cell.seed for record in row.done],
        "cells": [record.cell.id for record in row.records],
        "metrics": _figures(row.metrics, sets),
        "beyond": _figures(row.beyond, sets),
        "tie_rate": _of(row.tie_rate, sets),
        "unanswered": _of(row.unanswered, sets),
        "cost": row.cost,
        "failed": [
            {"seed": record.cell.seed, **record.status.model_dump(mode="json")}
            for record in row.failed
        ],
        "notes": list(row.notes),
    }


def _figures(figures: Figures, sets: Collection[str]) -> dict[str, Any]:
    return {
        name: {metric: asdict(estimate) for metric, estimate in metrics.items()}
        for name, metrics in _of(figures, sets).items()
    }


def _of(told: Mapping[str, T], sets: Collection[str]) -> dict[str, T]:
    return {name: value for name, value in told.items() if name in sets}
