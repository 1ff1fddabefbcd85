"""Several rows held against one another, in plain words and aligned columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from mmbench.report.lineup import Lineup, Tour
from mmbench.report.numbers import plus_minus
from mmbench.report.statistics import ALPHA, Difference
from mmbench.report.statistics.datasets import ENOUGH, Overall
from mmbench.report.verdict import chance, percent, share, signed
from mmbench.report.words import decimals, plain, plural

FEW = (
    "Fewer than six datasets: no test is made, as none could find anything. The figures stand side "
    "by side, and the mean log ratio describes these datasets alone."
)
KIN = "Datasets of one origin are no independent witnesses: leave one out where two are akin."


def lineup_lines(found: Lineup) -> list[str]:
    """The lineup as lines of text: the question, rows, pairs, and what may be said."""
    names = [plain(row.name) for row in found.rows]
    family, board = found.family, found.board
    title = f"{', '.join(names)}: {found.metric}, {found.candidates}"
    where = f"on {plain(board.dataset)}, {plain(board.protocol)}; {plural(found.users, 'user')}"
    if found.dropped:
        where += f"; {found.dropped:,} whom only some were asked about are left out"
    rows = [
        [
            name,
            plus_minus(interval),
            plural(len(sample.figures), "seed"),
            _noise(sample.noise_known),
        ]
        for name, interval, sample in zip(names, found.intervals, found.samples, strict=True)
    ]
    head = [
        "a",
        "b",
        "a - b",
        "95% interval",
        "relative",
        "p, Holm",
        f"within {share(found.margin)}",
    ]
    head += ["won", "lost", "d_z"]
    pairs = [
        [names[a], names[b], *_pair(told, adjusted, equivalence)]
        for (a, b), told, adjusted, equivalence in zip(
            family.pairs, family.differences, family.adjusted, family.equivalence, strict=True
        )
    ]
    return [
        title,
        where,
        "",
        *aligned(rows),
        "",
        *aligned([head, *pairs]),
        "",
        *_sizes(found),
        _verdict(found, names),
        *_notes(found),
    ]


def tour_lines(found: Tour) -> list[str]:
    """The tour as lines of text."""
    baseline = plain(found.baseline)
    head = ["", *map(plain, found.datasets), "places", f"log ratio to {baseline}"]
    tested = any(row.p is not None for row in found.rows)
    region = share(found.margin)
    head += ["p, Holm", f"below / within {region} / above"] if tested else []
    rows = [_overall(row, found.datasets, tested) for row in found.rows]
    count = len(found.datasets)
    missing = sum(count - len(row.figures) for row in found.rows)
    lines = [
        f"{found.metric}, {found.candidates}, {plain(found.protocol)}; {plural(count, 'dataset')}",
        "",
        *aligned([head, *rows]),
        "",
        "± is half of the 95% interval over users and, where there are several, seeds.",
        "places: the best and the worst among the rows that are there on all datasets.",
    ]
    if missing:
        lines.append(f"Missing: {plural(missing, 'figure')} (–), left out and never guessed.")
    if count < ENOUGH:
        lines.append(FEW)
    elif tested:
        lines.append(
            f"p: signed-rank test of the log ratios to {baseline}, Holm over the rows that have "
            f"{ENOUGH} datasets or more. The last column is a Bayesian signed-rank test's: how "
            f"likely a row is worse, within {region}, or better on another dataset."
        )
    return [*lines, KIN]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of texts in columns: the first to the left, the others to the right."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        gaps = [" " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True)]
        first, *rest = zip(row, gaps, strict=True)
        lines.append("  ".join([first[0] + first[1], *(gap + text for text, gap in rest)]).rstrip())
    return lines


def _noise(known: bool) -> str:
    return "" if known else "seed noise unknown: what is said holds for this trained model"


def _pair(told: Difference, adjusted: float, equivalence: float) -> list[str]:
    relative = "?" if told.relative is None else percent(told.relative.value)
    return [
        signed(told.absolute.value),
        f"{signed(told.absolute.low)} to {signed(told.absolute.high)}",
        relative,
        chance(adjusted).removeprefix("= "),
        "yes" if equivalence < ALPHA else "not shown",
        f"{told.won:.1%}",
        f"{told.lost:.1%}",
        "–" if told.d_z is None else f"{told.d_z:+.3f}",
    ]


def _sizes(found: Lineup) -> list[str]:
    family = found.family
    one, among = family.detectable(), family.detectable(len(family.pairs))
    if one is None or among is None:
        return []
    pairs = len(family.pairs)
    many = f", {among:.5f} among {pairs}" if pairs > 1 else ""
    return [
        f"smallest difference that such rows show four times in five: {one:.5f} for one pair{many}"
    ]


def _verdict(found: Lineup, names: Sequence[str]) -> str:
    told = [f"{names[a]} is better than {names[b]}" for a, b in found.family.apart]
    pairs = plural(len(found.family.pairs), "pair")
    if not told:
        return f"Of {pairs}, none is told apart (5% among them all, Holm)."
    known = all(sample.noise_known for sample in found.samples)
    whom = "users and seeds" if known else "users, with these trained models"
    return (
        f"Of {pairs}, {len(told)} told apart for other {whom} (5% among them all, Holm): "
        f"{'; '.join(told)}."
    )


def _notes(found: Lineup) -> list[str]:
    whose: dict[str, list[str]] = {}
    for row in found.rows:
        for note in row.notes:
            whose.setdefault(plain(note), []).append(plain(row.name))
    return [f"{', '.join(rows)}: {note}" for note, rows in whose.items()]


def _overall(row: Overall, datasets: Sequence[str], tested: bool) -> list[str]:
    figures = [plus_minus(row.figures[d]) if d in row.figures else "–" for d in datasets]
    places = "–" if row.places is None else f"{row.places[0]}-{row.places[1]}"
    ratio = "–" if row.log_ratio is None else decimals(row.log_ratio)
    if row.log_ratio is not None and row.datasets < len(datasets):
        ratio += f" ({row.datasets} of {len(datasets)})"
    line = [plain(row.row), *figures, places, ratio]
    if not tested:
        return line
    if row.p is None or row.belief is None:
        return [*line, "–", "–"]
    belief = row.belief
    chances = f"{belief.below:.3f} / {belief.within:.3f} / {belief.above:.3f}"
    return [*line, chance(row.p).removeprefix("= "), chances]
