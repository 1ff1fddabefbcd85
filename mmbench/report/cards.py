"""Cards: figures of what a model was built on, such as its semantic ids.

A plugin logs them once, ``run.log(0, **{"semantic ids: perplexity 1": 210.3, ...})``. A curve of
one point whose name has a colon is a figure of the card that is named before it; a number at its
end is a level's, and the levels' figures are shown together.
"""

from __future__ import annotations

import re
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence

from mmbench.report.words import count, plain
from mmbench.results.record import Record

NAME = re.compile(r"(?P<title>[^:]+): (?P<figure>.+?)(?: (?P<level>\d+))?")
SINGLE = 0  # the level of a figure that has none

Cards = Mapping[str, Mapping[str, Sequence[float]]]


def is_figure(name: str, points: Sequence[tuple[int, float]]) -> bool:
    """Whether a curve is a figure of a card."""
    return len(points) == 1 and NAME.fullmatch(name) is not None


def cards(records: Sequence[Record]) -> Cards:
    """Title to figure to its means over the cells that have it, one for each level."""
    values: dict[str, dict[str, dict[int, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for record in records:
        for name, points in record.curves.items():
            named = NAME.fullmatch(name)
            if named and is_figure(name, points):
                level = int(named["level"] or SINGLE)
                values[named["title"]][named["figure"]][level].append(points[0][1])
    return {
        title: {
            figure: [statistics.fmean(levels[level]) for level in sorted(levels)]
            for figure, levels in figures.items()
        }
        for title, figures in values.items()
    }


def say(values: Sequence[float]) -> str:
    """``214.8 / 247.6``, ``12,101``, ``0.0312``."""
    return " / ".join(count(value) if value == round(value) else f"{value:.4g}" for value in values)


def sentences(records: Sequence[Record]) -> list[str]:
    """A card a sentence, for a footnote."""
    told = []
    for title, figures in cards(records).items():
        listed = "; ".join(f"{plain(figure)} {say(values)}" for figure, values in figures.items())
        told.append(f"{plain(title).capitalize()}: {listed}.")
    return told
