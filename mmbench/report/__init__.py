"""Reports: stored results in; boards as markdown, terminal tables and JSON out.

Pure functions: the same results give the same bytes, without clocks or paths of a machine.
"""

from mmbench.report.aggregate import Board, Row, make_boards
from mmbench.report.board import render_board
from mmbench.report.contrast import choose_rows, contrast, contrast_json
from mmbench.report.jsonout import board_json
from mmbench.report.plot import plot_curves
from mmbench.report.show import find_rows, row_json, show_row
from mmbench.report.slices import Slice, make_slices
from mmbench.report.table import board_table
from mmbench.report.verdict import contrast_lines
from mmbench.report.write import BoardError, demand_publishable, stale, write_boards
from mmbench.results.ranks import read_ranks
from mmbench.results.read import Problem, Reading, read_results
from mmbench.results.record import Record, ResultError, parse

__all__ = [
    "Board",
    "BoardError",
    "Problem",
    "Reading",
    "Record",
    "ResultError",
    "Row",
    "Slice",
    "board_json",
    "board_table",
    "choose_rows",
    "contrast",
    "contrast_json",
    "contrast_lines",
    "demand_publishable",
    "find_rows",
    "make_boards",
    "make_slices",
    "parse",
    "plot_curves",
    "read_ranks",
    "read_results",
    "render_board",
    "row_json",
    "show_row",
    "stale",
    "write_boards",
]
