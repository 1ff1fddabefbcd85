"""The sections of a board that tell what made it: data, versions, commits, settings."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence

from mmbench.report.aggregate import Board, Row
from mmbench.report.page import Section
from mmbench.report.view import View
from mmbench.report.words import plain
from mmbench.results.record import Record


def origin(board: Board, view: View) -> Iterator[Section]:
    """What made the board, and the settings of each row."""
    records = board.records
    lines = [
        f"Data fingerprint: {plain(board.fingerprint)}",
        f"Cells: {len(records)}, of which {sum(r.done for r in records)} finished",
        *(f"{plain(name)}: {versions}" for name, versions in _versions(records)),
    ]
    commits = sorted({record.environment.commit for record in records} - {None}, key=str)
    if commits:
        lines.append(f"Commits: {', '.join(plain(str(commit)) for commit in commits)}")
    yield Section("made", "How it was made", after=tuple(lines))
    yield Section(
        "settings",
        "Settings of each row",
        3,
        after=tuple(_settings(row) for row in board.rows if view.shows(row)),
        side=True,
    )


def _versions(records: Sequence[Record]) -> list[tuple[str, str]]:
    """The harness first, then the plugins' distributions, then Python."""
    found: dict[str, set[str]] = defaultdict(set)
    for record in records:
        environment = record.environment
        if "mmbench" in environment.packages:
            found["mmbench"].add(environment.packages["mmbench"])
        found[record.cell.distribution].add(record.cell.version)
        if environment.python:
            found["Python"].add(environment.python)
    ordered = sorted(found, key=lambda name: (name != "mmbench", name == "Python", name))
    return [(name, plain(", ".join(sorted(found[name])))) for name in ordered]


def _settings(row: Row) -> str:
    cell = row.first.cell
    config = cell.config
    pairs = [f"{key}={json.dumps(config[key], ensure_ascii=False)}" for key in sorted(config)]
    package = f"{plain(cell.distribution)} {plain(cell.version)}"
    return f"{plain(row.name)} ({package}): {plain(', '.join(pairs)) or 'none'}"
