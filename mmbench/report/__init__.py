"""Reports: stored results in; boards as markdown, HTML, CSV, LaTeX, terminal tables and JSON out.

Pure functions: the same results give the same bytes, without clocks or paths of a machine.
"""

from mmbench.report.aggregate import Board, Row, make_boards
from mmbench.report.board import make_page
from mmbench.report.contrast import choose_rows, contrast, contrast_json
from mmbench.report.find import find_rows
from mmbench.report.jsonout import board_json
from mmbench.report.lineup import choose_lineup, line_up, lineup_json, tour, tour_json
from mmbench.report.lineup_lines import lineup_lines, tour_lines
from mmbench.report.markdown import to_markdown
from mmbench.report.page import Page
from mmbench.report.plot import plot_curves
from mmbench.report.show import row_json, show_row
from mmbench.report.slices import Slice, make_slices
from mmbench.report.standings import Evidence, gather
from mmbench.report.table import board_table
from mmbench.report.verdict import contrast_lines
from mmbench.report.view import View, make_view
from mmbench.report.write import (
    BoardError,
    demand_formats,
    demand_publishable,
    make_pages,
    stale,
    unpublishable,
    write_boards,
)
from mmbench.results.ranks import read_ranks
from mmbench.results.read import Problem, Reading, read_results
from mmbench.results.record import Record, ResultError, parse

__all__ = [
    "Board",
    "BoardError",
    "Evidence",
    "Page",
    "Problem",
    "Reading",
    "Record",
    "ResultError",
    "Row",
    "Slice",
    "View",
    "board_json",
    "board_table",
    "choose_lineup",
    "choose_rows",
    "contrast",
    "contrast_json",
    "contrast_lines",
    "demand_formats",
    "demand_publishable",
    "find_rows",
    "gather",
    "line_up",
    "lineup_json",
    "lineup_lines",
    "make_boards",
    "make_page",
    "make_pages",
    "make_slices",
    "make_view",
    "parse",
    "plot_curves",
    "read_ranks",
    "read_results",
    "row_json",
    "show_row",
    "stale",
    "to_markdown",
    "tour",
    "tour_json",
    "tour_lines",
    "unpublishable",
    "write_boards",
]
