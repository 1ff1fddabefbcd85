"""The tables of figures on pages, made from the committed results.

``python docs/tables.py`` writes them into the pages, ``--check`` says which pages are stale. A page
says what a table holds in a comment above it, and the script writes what stands until the next one:

    <!-- figures data=amazon2014-beauty rows="pop; sasrec-ce" columns="full ndcg@10; fit" -->
    <!-- end -->

``figures``: a line for each row, the mean with half of its 95% interval, over users and, where
there are several, seeds. A column is a candidate set and a metric, with ``by seed`` each seed's own
figure, or it is ``seeds`` or ``fit``.
``slices``: one column (``of="unseen ndcg@10"``) by the training events of the target.
``differences``: a line for each pair (``rows="a - b"``), as ``mmbench compare`` has it.

``<!-- seen of=rows -->`` writes into the column "seen" of the table below it how many of the rows
that the column "rows" names stand on the boards of the data that the line's grid files ask for;
``of=grids``, how many of the rows of the line's grid file.

A table of figures that no stored result gives says where they come from in a comment,
``<!-- from: COMMAND -->``; one that says neither fails the check. So does a paragraph with a figure
of three decimals or more that names neither a command nor who printed it, and that stands beside
neither such a table nor a block of commands.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

import mmbench
from mmbench.data.published import published
from mmbench.grid.registry import spread
from mmbench.report.slices import EDGES
from mmbench.report.statistics import mean_interval

ROOT = Path(__file__).parents[1]
STORED = ROOT / "leaderboards" / "results"
GRIDS = ROOT / "leaderboards" / "grids"
PAGES = [
    *sorted(ROOT.glob("plugins/*/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "README.md",
]
BLOCK = re.compile(r"(<!-- (figures|slices|differences) (.*?) ?-->\n).*?(<!-- end -->)", re.DOTALL)
SEEN = re.compile(r"(<!-- seen of=(rows|grids) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
GRID = re.compile(r"\[([a-z0-9-]+)\](?!\()")  # a link by its name alone
SIZE = re.compile(r" \((small|tiny)\)|/(small|tiny)(?=$|[],[])")  # on a board, and as run takes it
NUMBER = re.compile(r"\| *[+-]?\d*\.\d{2,}")  # a figure with decimals in a table's cell
DECIMALS = re.compile(r"(?<![\w.-])[01]?\.\d{3,}\b")  # a figure in prose
SOURCE = re.compile(  # a command, a test, a paper's table or section, who printed it
    r"`(OMP_NUM_THREADS=1 )?(mmbench|python|make|benchmarks/|tests/)[^`]*`"
    r"|\b([Tt]able|[Ss]ections?) (\d|I)|\bprint(s|ed)?\b|https://"
)
BESIDE = re.compile(r"<!-- (from:|end )|^```\w*\n(\$ )?(mmbench|python) ", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
BY_SEED = " by seed"
PLACES = 4


def figures(found: mmbench.Results, data: str, rows: str, columns: str) -> str:
    """A line for each row."""
    asked = _list(columns)
    lines = [
        [f"`{row}`", *(_cell(found, data, row, column) for column in asked)] for row in _list(rows)
    ]
    return _table(["", *(_heading(column) for column in asked)], lines)


def slices(found: mmbench.Results, data: str, rows: str, of: str) -> str:
    """A line for each row, a column for how often the target stands in training."""
    edges = EDGES["frequency"]
    names = ["0", *(f"{a} to {b - 1}" for a, b in itertools.pairwise(edges[1:]))]
    lines = []
    for row in _list(rows):
        users = _users(found, data, row)
        parts = [users[of]] + [
            users[of][pd.cut(users["frequency"], [*edges, np.inf], right=False).cat.codes == place]
            for place in range(len(edges))
        ]
        lines.append([f"`{row}`", *(_number(part.mean()) for part in parts)])
    queries = _users(found, data, _list(rows)[0]).query("seed == seed.min()")["frequency"]
    counts = pd.cut(queries, [*edges, np.inf], right=False).value_counts(sort=False)
    lines.append(["queries", f"{len(queries):,}", *(f"{count:,}" for count in counts)])
    first = f"{_heading(of)}, by training events of the target"
    return _table([first, "all", *names, f"{edges[-1]} and more"], lines)


def differences(found: mmbench.Results, data: str, rows: str, of: str = "unseen ndcg@10") -> str:
    """A line for each pair."""
    lines = []
    for a, b in (pair.split(" - ") for pair in _list(rows)):
        candidates, metric = of.split()
        names = [_name(found, data, name) for name in (a, b)]
        one = found.compare(*names, candidates=candidates, metric=metric, data=data).difference
        gain = one.absolute
        words = (
            "not told apart"
            if gain.low <= 0 <= gain.high
            else "better"
            if gain.low > 0
            else "worse"
        )
        percent = f"{one.relative.value:+.1%}" if one.relative else ""
        span = f"{gain.low:+.4f} to {gain.high:+.4f}"
        lines.append([f"`{a}` less `{b}`", f"{gain.value:+.4f}", span, percent, words])
    return _table([_heading(of), "difference", "95% interval", "in percent", ""], lines)


def seen(found: mmbench.Results, of: str, body: str) -> str:
    """The same table, with its column "seen" filled."""
    header, rule, *lines = body.splitlines()
    columns = _split(header)
    filled = []
    for line in lines:
        cells = dict(zip(columns, _split(line), strict=True))
        grids = [_grid(GRIDS / f"{name}.toml") for name in GRID.findall(line)]
        if of == "rows":
            data = set[str]().union(*(grid[1] for grid in grids))
            cells["seen"] = _standing(found, re.findall(r"`([^`]+)`", cells["rows"]), data)
        else:
            (grid,) = grids
            cells["seen"] = _standing(found, *grid)
        filled.append("| " + " | ".join(cells.values()) + " |")
    return "\n".join([header, rule, *filled, ""])


KINDS: dict[str, Callable[..., str]] = {
    "figures": figures,
    "slices": slices,
    "differences": differences,
}


def fill(page: str, found: mmbench.Results) -> str:
    """A page with the tables of today's results. Raises SystemExit for what is not stored."""

    def made(match: re.Match[str]) -> str:
        told = dict(word.split("=", 1) for word in shlex.split(match[3]))
        return match[1] + KINDS[match[2]](found, **told) + "\n" + match[4]

    page = SEEN.sub(lambda match: match[1] + seen(found, match[2], match[3]) + match[4], page)
    return BLOCK.sub(made, page)


def unsourced(page: str) -> Iterator[int]:
    """The lines on which tables of figures begin that no comment above says the source of."""
    lines = page.split("\n")
    begins = [n for n, line in enumerate(lines) if line[:1] == "|" and lines[n - 1][:1] != "|"]
    for begin in begins:
        body = re.match(r"(?:\|.*\n?)+", "\n".join(lines[begin:]))
        above = next((line for line in reversed(lines[:begin]) if line.strip()), "")
        if body and NUMBER.search(body[0]) and "-->" not in above:
            yield begin + 1


def orphans(page: str) -> Iterator[int]:
    """The lines on which paragraphs begin whose figures nobody says the source of."""
    whole = FENCED.sub(lambda match: match[0].replace("\n\n", "\n \n"), page)
    parts, line = whole.split("\n\n"), 1
    for place, part in enumerate(parts):
        near = parts[max(place - 1, 0) : place] + parts[place + 1 : place + 2]
        told = SOURCE.search(part) or any(map(BESIDE.search, near))
        prose = not part.lstrip("\n").startswith(("|", "<!--", "```"))
        if prose and DECIMALS.search(part) and not told:
            yield line
        line += part.count("\n") + 2


def _split(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip()[1:-1].split("|")]


def _grid(path: Path) -> tuple[list[str], set[str], str]:
    """A grid file's rows, the ids of its data, and its preset."""
    grid = tomllib.loads(path.read_text(encoding="utf-8"))
    ids = {alias: name for name, spec in published().items() for alias in spec.info.aliases}
    source = ids.get(grid.get("fit_on", ""), "")
    names = [
        name
        + "".join(f"[{key}={value}]" for key, value in grid.get("set", {}).get(name, {}).items())
        for text in grid["models"]
        for name in spread(text)
    ]
    if source:
        names = [f"{name}[fit-on={source}]" for name in names]
    data = {re.sub(r"^[^[]+", lambda m: ids.get(m[0], m[0]), name) for name in grid["data"]}
    return names, data, grid.get("preset", "auto")


def _standing(
    found: mmbench.Results, names: Sequence[str], data: set[str], preset: str = "auto"
) -> str:
    """How many of the rows each board has, and how many of those are of a small or tiny preset.

    A ``preset`` but auto leaves other sizes out.
    """
    if not names:
        return "–"
    asked = {SIZE.sub("", name): {preset, *_sizes(name)} for name in names}
    boards: dict[str, dict[str, set[str]]] = {}
    for line in _board(found).query("failed == 0").itertuples():
        plain, sizes = SIZE.sub("", line.model), _sizes(line.model)
        sized = preset == "auto" or sizes <= asked.get(plain, set())
        if plain in asked and line.dataset in data and sized:
            boards.setdefault(line.dataset, {}).setdefault(plain, set()).update(sizes)
    told = []
    for dataset, rows in boards.items():
        by_size = [
            (size, sum(size in sizes for sizes in rows.values())) for size in ("small", "tiny")
        ]
        marks = [size if n == len(rows) else f"{n} {size}" for size, n in by_size if n]
        told.append(
            f"{dataset} {len(rows)} of {len(asked)}" + f" ({', '.join(marks)})" * bool(marks)
        )
    return "; ".join(told) or "none"


def _sizes(name: str) -> set[str]:
    return {a or b for a, b in SIZE.findall(name)}


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(";")]


def _table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [header, [":--", *["--:"] * (len(header) - 1)], *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _heading(column: str) -> str:
    candidates, _, metric = column.partition(" ")
    return f"{metric} `{candidates}`" if metric else column


def _cell(found: mmbench.Results, data: str, row: str, column: str) -> str:
    (line,) = (
        _board(found)
        .query(
            "dataset == @data and model == @name",
            local_dict={"data": data, "name": _name(found, data, row)},
        )
        .itertuples()
    )
    if column == "seeds":
        return str(line.seeds)
    if column == "fit":
        return _duration(line.fit_seconds)
    users = _users(found, data, row)
    if column.endswith(BY_SEED):
        seeds = users.groupby("seed")[column.removesuffix(BY_SEED)].mean()
        return ", ".join(map(_number, seeds))
    table = users.pivot_table(index="user", columns="seed", values=column)
    found_interval = mean_interval(table.to_numpy(np.float64).T)
    half = found_interval.high - found_interval.value
    return f"{_number(found_interval.value)} ± {_number(half)}"


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.{PLACES}f}".removeprefix("0")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


@functools.cache
def _board(found: mmbench.Results) -> pd.DataFrame:
    return found.table()


@functools.cache
def _users(found: mmbench.Results, data: str, row: str) -> pd.DataFrame:
    users = found.user_figures(_name(found, data, row), metrics=("ndcg@10", "hit@10"))
    return users[users["dataset"] == data]


def _name(found: mmbench.Results, data: str, row: str) -> str:
    """A row's name on the board, of the reference that ``mmbench run`` takes."""
    name = re.sub(r"/(small|tiny)(\[.*\])$", r"\2 (\1)", row)
    name = re.sub(r"/(small|tiny)(?=$|[],])", r" (\1)", name)
    rows = _board(found)
    known = rows[(rows["dataset"] == data) & (rows["failed"] == 0)]["model"].tolist()
    chosen = name if name in known else row
    if chosen not in known:
        raise SystemExit(f"{data} has no row {row}. It has {', '.join(known)}")
    return chosen


def main(words: Sequence[str]) -> int:
    """Write the tables, or check them."""
    found = mmbench.read_results(STORED)
    problems = []
    for path in PAGES:
        old = path.read_text(encoding="utf-8")
        new = fill(old, found)
        name = path.relative_to(ROOT)
        problems += [
            f"{name}:{line}: no word where these figures come from"
            for line in (*unsourced(new), *orphans(new))
        ]
        if old != new and "--check" in words:
            problems.append(f"{name} is not what the results say: python docs/tables.py")
        elif old != new:
            path.write_text(new, encoding="utf-8")
            print(f"wrote {name}")
    print("\n".join(problems), file=sys.stderr)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
