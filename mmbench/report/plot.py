"""Curves as a picture; needs matplotlib (the extra ``plot``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmbench.problems import UserError
from mmbench.report.aggregate import Row
from mmbench.report.cards import is_figure

FORMATS = (".svg", ".png", ".pdf")
# matplotlib draws a random salt into an SVG's ids and the time into its head: one picture, one file
STEADY: Any = {"svg.hashsalt": "mmbench", "svg.fonttype": "none"}


def plot_curves(rows: Sequence[Row], path: Path) -> None:
    """Draw each curve of the rows' finished cells, a panel a curve name, a line a cell.

    Raises UserError where matplotlib is absent, the ending is unknown, or there is no curve.
    """
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path}: end the name with one of {', '.join(FORMATS)}")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError(
            f"drawing needs matplotlib ({error}): pip install 'mmbench[plot]'"
        ) from error
    drawn = [(row, record) for row in rows for record in row.done]
    names = list(
        dict.fromkeys(
            name
            for _, r in drawn
            for name, points in r.curves.items()
            if points and not is_figure(name, points)
        )
    )
    if not names:
        raise UserError("these cells logged no curve, so there is nothing to draw")
    with matplotlib.rc_context(STEADY):
        figure = Figure(figsize=(7, 2.6 * len(names)), layout="constrained")
        for number, name in enumerate(names):
            panel = figure.add_subplot(len(names), 1, number + 1)
            for row, record in drawn:
                if record.curves.get(name):
                    steps, values = zip(*record.curves[name], strict=True)
                    panel.plot(steps, values, label=f"{row.name}, seed {record.cell.seed}")
            panel.set_ylabel(name)
            panel.grid(alpha=0.3)
            if number == 0:
                panel.legend(fontsize="small", frameon=False)
        panel.set_xlabel("step")
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else {}
        figure.savefig(path, metadata=metadata, dpi=150)
