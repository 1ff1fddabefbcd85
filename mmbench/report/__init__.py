"""Reports: stored results in; boards as markdown, terminal tables and JSON out.

Pure functions: the same results give the same bytes, without clocks or paths of a machine.
"""

from mmbench.report.aggregate import Board, Gate, make_boards
from mmbench.report.board import render_board
from mmbench.report.jsonout import board_json
from mmbench.report.plot import plot_curves
from mmbench.report.show import find_rows, row_json, show_row
from mmbench.report.slices import make_slices
from mmbench.report.table import board_table
from mmbench.report.write import BoardError, stale, write_boards
from mmbench.results.read import Problem, Reading, read_ranks, read_results
from mmbench.results.record import Result, ResultError, parse

__all__ = [
    "Board",
    "BoardError",
    "Gate",
    "Problem",
    "Reading",
    "Result",
    "ResultError",
    "board_json",
    "board_table",
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
