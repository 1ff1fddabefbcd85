"""All that is known of a row, for the terminal and as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mmbench.protocol.candidate_sets import set_order
from mmbench.protocol.metrics import HEADLINE
from mmbench.report.aggregate import Board, Estimate, Row
from mmbench.report.cards import cards, is_figure, say
from mmbench.report.numbers import mean, plus_minus, with_deviation
from mmbench.report.slices import Slice
from mmbench.report.table import WIDE
from mmbench.report.words import count, decimals, duration, plain
from mmbench.results.examples import Example
from mmbench.results.record import Record

BY = {
    "frequency": "training events\nof the target",
    "history_length": "events in\nthe history",
    "tied": "target's time,\nand the one before",
}

SLICED = (
    "± of slices is half of the 95% interval, over queries and, where there are several, seeds; "
    "elsewhere the sample standard deviation over seeds"
)


def show_row(
    board: Board,
    row: Row,
    slices: Sequence[Slice],
    examples: Sequence[Example] = (),
    *,
    width: int = 80,
) -> RenderableType:
    """The row: figures, costs, slices, embedding spaces, cards, the ends of its curves, examples.

    Made for terminals of 80 columns and more; from 110 the slices' headline has its interval.
    """
    parts: list[RenderableType] = [_heading(board, row)]
    if row.done:
        parts += [Text(""), _figures(row)]
    for by, words in BY.items():
        chosen = [part for part in slices if part.by == by]
        if chosen:
            parts += [Text(""), _slices(chosen, words, width >= WIDE)]
    if slices and width >= WIDE:
        parts += [Text(SLICED, style="dim")]
    parts += _spaces(row.done)
    for title, figures in cards(row.done).items():
        parts += [Text(""), _card(title, figures)]
    curves = _curves(row)
    if curves:
        parts += [Text(""), Text("curves (draw them with --plot)", style="bold"), *curves]
    for example in examples:
        parts += [Text(""), Text(plain(example.title), style="bold"), _example(example)]
    for note in row.notes:
        parts += [Text(note, style="dim")]
    return Group(*parts)


def row_json(
    board: Board, row: Row, slices: Sequence[Slice], examples: Sequence[Example] = ()
) -> dict[str, Any]:
    """The same as JSON-able data."""
    return {
        "protocol": board.protocol,
        "dataset": board.dataset,
        "fingerprint": board.fingerprint,
        "name": row.name,
        "config": row.first.cell.config,
        "cells": {
            record.cell.id: {
                "seed": record.cell.seed,
                "status": record.status.model_dump(mode="json"),
                "cost": record.cost.model_dump(mode="json"),
                "spaces": record.spaces.model_dump(mode="json"),
                "curves": record.curves,
            }
            for record in row.records
        },
        "metrics": _plain(row.metrics),
        "slices": [{**asdict(part)} for part in slices],
        "examples": [asdict(example) for example in examples],
        "notes": list(row.notes),
    }


def _heading(board: Board, row: Row) -> Text:
    cells = ", ".join(record.cell.id for record in row.records)
    seeds = ", ".join(str(record.cell.seed) for record in row.records)
    heading = Text.assemble((plain(row.name), "bold"), f" on {plain(board.dataset)} · ")
    heading.append(f"{plain(board.protocol)} · seeds {seeds} · cells {cells}\n")
    heading.append(f"{row.first.cell.distribution} {row.first.cell.version}")
    for key, unit in (("fit_seconds", "fit"), ("score_seconds_per_1000", "1,000 queries")):
        if key in row.cost:
            heading.append(f" · {unit} {duration(row.cost[key])}")
    if "peak_memory_mb" in row.cost:
        heading.append(f" · {row.cost['peak_memory_mb']:,.0f} MB")
    if "parameters" in row.cost:
        heading.append(f" · {count(int(row.cost['parameters']))} parameters")
    for record in row.failed:
        heading.append(
            f"\nseed {record.cell.seed}: {record.status.kind}, {plain(record.status.reason)}",
            style="red",
        )
    return heading


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, collapse_padding=True, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    return table


def _figures(row: Row) -> Table:
    names = sorted(next(iter(row.metrics.values())), key=_by_cutoff)
    table = _table("", *sorted(row.metrics, key=set_order))
    for metric in names:
        cells = [row.figure(name, metric) for name in sorted(row.metrics, key=set_order)]
        table.add_row(metric, *(with_deviation(cell) or "–" for cell in cells))
    return table


def _by_cutoff(metric: str) -> tuple[str, int]:
    name, _, cutoff = metric.partition("@")
    return name, int(cutoff or 0)


def _slices(slices: Sequence[Slice], words: str, wide: bool) -> Table:
    def figure(part: Slice, name: str, metric: str) -> str:
        told = part.intervals[name].get(metric)
        if wide and metric == HEADLINE and told:
            return plus_minus(told)
        return mean(part.metrics[name][metric]) or "–"

    shown = [
        (name, metric)
        for name in sorted(slices[0].metrics, key=set_order)
        for metric in slices[0].metrics[name]
    ]
    table = _table(words, "queries", *(f"{name}\n{metric}" for name, metric in shown))
    for part in slices:
        table.add_row(part.name, count(part.queries), *(figure(part, *each) for each in shown))
    return table


def _spaces(done: Sequence[Record]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    with_spaces = [record.spaces for record in done if record.spaces.geometry]
    if not with_spaces:
        return []
    geometry = _table("space", *next(iter(with_spaces[0].geometry.values())))
    for space in with_spaces[0].geometry:
        geometry.add_row(space, *_means([s.geometry[space] for s in with_spaces]))
    parts += [Text(""), geometry]
    if with_spaces[0].modalities:
        sets = sorted(with_spaces[0].modalities["f2f"], key=set_order)
        modalities = _table("history to fused target", *(f"{name}\nndcg@10" for name in sets))
        for name in with_spaces[0].modalities:
            modalities.add_row(
                name,
                *_means([{n: s.modalities[name][n]["ndcg@10"] for n in sets} for s in with_spaces]),
            )
        parts += [Text(""), modalities]
    seconds = [s.embed_seconds for s in with_spaces if s.embed_seconds is not None]
    if seconds:
        parts += [Text(f"embedding the catalogue {duration(sum(seconds) / len(seconds))}")]
    return parts


def _means(figures: Sequence[Mapping[str, float]]) -> list[str]:
    return [
        with_deviation(Estimate.of([part[name] for part in figures])) or "–" for name in figures[0]
    ]


def _card(title: str, figures: Mapping[str, Sequence[float]]) -> Table:
    """Means over the seeds; the figures of levels side by side."""
    table = _table(plain(title), "")
    for figure, values in figures.items():
        table.add_row(plain(figure), say(values))
    return table


def _example(example: Example) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, text in example.texts.items():
        table.add_row(Text(plain(name)), Text(plain(text) or "–"))
    return table


def _curves(row: Row) -> list[Text]:
    lines = []
    for record in row.done:
        for name, points in record.curves.items():
            values = [value for _, value in points]
            if values and not is_figure(name, points):
                lines.append(
                    Text(
                        f"  seed {record.cell.seed} {plain(name)}: {len(values)} points, first "
                        f"{decimals(values[0])}, last {decimals(values[-1])}, "
                        f"least {decimals(min(values))}, most {decimals(max(values))}"
                    )
                )
    return lines


def _plain(metrics: Mapping[str, Mapping[str, Estimate]]) -> dict[str, Any]:
    return {
        name: {metric: asdict(estimate) for metric, estimate in figures.items()}
        for name, figures in metrics.items()
    }
