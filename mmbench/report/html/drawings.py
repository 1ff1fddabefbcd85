"""Drawings as HTML: inline SVG with coordinates in whole numbers, and pairs as text to be coloured.

Colours are the style's (Okabe and Ito's, which colour-blind people tell apart).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from mmbench.report.html.tables import escape
from mmbench.report.page import Curve, Curves, Drawing, Pairs, Point, Trade

WIDTH, HEIGHT = 560, 340  # of cost against accuracy
LEFT, RIGHT, TOP, BOTTOM = 50, 24, 14, 44
LETTER, LARGE, LINE = 7, 10, 15  # a label's letters: their width, that on a phone, and height
SMALL = (220, 70)  # of a curve
PALETTE = 6  # colours of seeds in the style

Label = tuple[int, int, str]  # across, down, and the end that stands there

LEGEND = (
    ("3", "p < .001"),
    ("2", "p < .01"),
    ("1", "p < .05"),
    ("=", "not told apart"),
    ("e", "within the margin"),
)


def draw(drawing: Drawing) -> str:
    """A drawing as HTML."""
    if isinstance(drawing, Pairs):
        return _pairs(drawing)
    return _trade(drawing) if isinstance(drawing, Trade) else _curves(drawing)


def _pairs(pairs: Pairs) -> str:
    """A line a row, with a character for each row above it; the script makes a map of it."""
    count = len(pairs.names)
    starts = [row * count - row * (row + 1) // 2 - row - 1 for row in range(count)]
    rows = (
        "".join(pairs.codes[starts[above] + row] for above in range(row)) for row in range(count)
    )
    listed = "\n".join(
        f"<li>{escape(name)} <code>{codes}</code>"
        for name, codes in zip(pairs.names, rows, strict=True)
    )
    legend = "".join(
        f"<li><code class=k{k}>{c}</code> {escape(t)}" for k, (c, t) in enumerate(LEGEND)
    )
    return (
        f"<figure class=pairs><figcaption><b>{escape(pairs.title)}.</b> {escape(pairs.said)}"
        f"</figcaption>\n<ul class=legend>{legend}</ul>\n"
        "<details open><summary>As text: a character for each row above</summary>"
        f"<ol>{listed}</ol></details></figure>"
    )


def _trade(trade: Trade) -> str:
    """Points, cheapest left; a step line joins those that no cheaper one reaches."""
    xs, ys, ticks = _places(trade.points)
    front = [trade.points.index(point) for point in trade.front]
    others = [number for number in range(len(xs)) if number not in front]
    wide = [len(p.name) * (LARGE if k in front else LETTER) for k, p in enumerate(trade.points)]
    labels = _labels(wide, xs, ys, [*front, *others])
    steps = "".join(
        f"{'M' if not k else 'H'}{xs[n]}{' ' if not k else 'V'}{ys[n]}" for k, n in enumerate(front)
    )
    dots = "\n".join(
        _dot(point, xs[number], ys[number], labels[number], number in front)
        for number, point in enumerate(trade.points)
    )
    floor = HEIGHT - BOTTOM
    return (
        f"<figure class=trade><figcaption><b>Cost against accuracy.</b> {escape(trade.figure)}, "
        f"against {escape(trade.cost)}, on a logarithmic scale; bars are 95% intervals, and the "
        "line joins rows that no cheaper one reaches.</figcaption>\n"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role=img aria-label="Cost against accuracy; the same '
        f'figures stand in the tables"><path class=axis d="M{LEFT} {TOP}V{floor}H{WIDTH - RIGHT}"/>'
        f"{''.join(ticks)}"
        f"<text x={WIDTH - RIGHT} y={HEIGHT - 6} text-anchor=end>{escape(trade.cost)}</text>"
        f'<path class=front d="{steps}"/>\n{dots}</svg></figure>'
    )


def _figure(point: Point) -> float:
    return point.figure.value or 0.0


def _places(points: Sequence[Point]) -> tuple[list[int], list[int], list[str]]:
    """Where points stand, across and down, and the ticks of both axes as SVG."""
    costs = [math.log10(max(point.cost, 0.01)) for point in points]
    first, last = math.floor(min(costs)), max(math.ceil(max(costs)), math.floor(min(costs)) + 1)
    top = max((p.figure.high or _figure(p)) for p in points) or 1.0
    size = 10.0 ** math.floor(math.log10(top))
    step = next(s * size for s in (0.1, 0.2, 0.25, 0.5, 1, 2) if top <= 5.4 * s * size)

    def across(log: float) -> int:
        return LEFT + round((log - first) / (last - first) * (WIDTH - LEFT - RIGHT))

    def down(figure: float) -> int:
        return HEIGHT - BOTTOM - round(max(0.0, figure) / top * (HEIGHT - TOP - BOTTOM))

    times = {-2: ".01s", -1: ".1s", 0: "1s", 1: "10s", 2: "100s", 3: "17m", 4: "3h", 5: "28h"}
    ticks = [
        f"<text x={across(log)} y={HEIGHT - BOTTOM + 17} text-anchor=middle>"
        f"{times.get(log, f'1e{log}s')}</text>"
        for log in range(first, last + 1)
    ]
    for number in range(1 + math.floor(top / step)):
        y = down(number * step)
        ticks.append(f'<path class=grid d="M{LEFT} {y}H{WIDTH - RIGHT}"/>')
        ticks.append(f"<text x={LEFT - 6} y={y + 4} text-anchor=end>{number * step:.3g}</text>")
    return (
        [across(log) for log in costs],
        [down(_figure(p)) for p in points],
        [
            *ticks,
            *(_bar(point, across(log), down) for point, log in zip(points, costs, strict=True)),
        ],
    )


def _bar(point: Point, x: int, down: Callable[[float], int]) -> str:
    low, high = point.figure.low, point.figure.high
    return (
        ""
        if low is None or high is None
        else f'<path class=bar d="M{x} {down(low)}V{down(high)}"/>'
    )


def _dot(point: Point, x: int, y: int, label: Label | None, first: bool) -> str:
    said = f"{point.name}: {point.figure.text}, {point.cost_text}"
    text = ""
    if label:
        anchor = f" text-anchor={label[2]}" if label[2] else ""
        kind = " class=f" if first else ""
        text = f"<text x={label[0]} y={label[1]}{anchor}{kind}>{escape(point.name)}</text>"
    return (
        f'<g data-n="{escape(point.name)}"><title>{escape(said)}</title>'
        f"<circle cx={x} cy={y} r=4.5 />{text}</g>"
    )


def _labels(
    widths: Sequence[int], xs: Sequence[int], ys: Sequence[int], order: Sequence[int]
) -> list[Label | None]:
    """Where names of these widths stand so that none lies on another or on a point.

    None for want of room.
    """
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in zip(xs, ys, strict=True)]
    found: list[Label | None] = [None] * len(widths)
    for number in order:
        wide = widths[number]
        x, y = xs[number], ys[number]
        own = taken[number]
        for left, low, anchor in (
            (x + 9, y + 4, ""),
            (x - 9 - wide, y + 4, "end"),
            (x + 6, y - 8, ""),
            (x + 6, y + 17, ""),
            (x - 6 - wide, y - 8, "end"),
            (x - 6 - wide, y + 17, "end"),
        ):
            box = (left, low - LINE + 4, left + wide, low + 3)
            inside = (
                box[0] > LEFT and box[2] < WIDTH and box[1] > TOP - 8 and box[3] < HEIGHT - BOTTOM
            )
            if inside and not any(_overlap(box, other) for other in taken if other is not own):
                taken.append(box)
                found[number] = (left + wide if anchor else left, low, anchor)
                break
    return found


def _overlap(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _curves(curves: Curves) -> str:
    return "\n".join(
        f'<details class=curves id={key} data-n="{escape(name)}"><summary>{escape(name)}</summary>'
        f"<div>{''.join(map(_curve, own))}</div></details>"
        for key, name, own in curves.rows
    )


def _curve(curve: Curve) -> str:
    points = [point for _, own in curve.seeds for point in own]
    steps, values = [step for step, _ in points], [value for _, value in points]
    ends = (min(steps), max(steps), min(values), max(values))
    seeds = ", ".join(str(seed) for seed, _ in curve.seeds)
    paths = "".join(
        f'<path class=s{number % PALETTE} d="{_path(own, *ends)}"/>'
        for number, (_, own) in enumerate(curve.seeds)
    )
    said = (
        f"{curve.name}: from {ends[2]:.4g} to {ends[3]:.4g}, steps {ends[0]:,} to {ends[1]:,}, "
        f"{'seed' if len(curve.seeds) == 1 else 'seeds'} {seeds}"
    )
    return (
        f"<figure><figcaption>{escape(said)}</figcaption>"
        f'<svg viewBox="0 0 {SMALL[0]} {SMALL[1]}" role=img aria-label="{escape(said)}">'
        f"{paths}</svg></figure>"
    )


def _path(
    points: Sequence[tuple[int, float]], first: int, last: int, least: float, most: float
) -> str:
    wide, high = SMALL[0] - 8, SMALL[1] - 8
    places = (
        (
            4 + round((step - first) / ((last - first) or 1) * wide),
            4 + round((most - value) / ((most - least) or 1) * high),
        )
        for step, value in points
    )
    return "".join(f"{'M' if number == 0 else 'L'}{x} {y}" for number, (x, y) in enumerate(places))
