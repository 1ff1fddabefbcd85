"""The Python API: run grids, read results, and hold them as pandas tables.

The command line calls the same functions. Everything heavy is imported when it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from mmbench.grid.execute import Finished
    from mmbench.report import Board, Row
    from mmbench.report.contrast import Contrast
    from mmbench.report.exports import Listed
    from mmbench.results.read import Problem, Reading

PER_USER = ("ndcg@10", "hit@10", "mrr")
Say = Callable[[str], None]


def _quiet(text: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True, eq=False)
class Results:
    """Stored results, with the figures of their ranks.

    A row is named as by ``mmbench show``: a row's name, a model, or a cell's id.

    Attributes:
        reading: the records, and what could not be used.
        stale: the cells (by id) that were kept though they are of other code.
    """

    reading: Reading
    stale: frozenset[str] = frozenset()

    @cached_property
    def boards(self) -> list[Board]:
        """The boards: rows with their figures, for each dataset and protocol."""
        from mmbench import report

        return report.make_boards(self.reading.records, self.stale, self.reading.ranks)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The files that could not be used, and why."""
        return self.reading.problems

    def table(self) -> pd.DataFrame:
        """All boards in one table: a line a row, best first within its board.

        Columns: ``dataset``, ``protocol``, ``model``, ``seeds`` (finished ones), ``failed`` (the
        others), ``<set> <metric>`` and ``<set> <metric> sd`` (over seeds; NaN for one), and the
        costs where they are known. A row without figures has NaN.
        """
        import pandas as pd

        from mmbench.report.frames import row_line

        lines = [row_line(board, row) for board in self.boards for row in board.rows]
        return pd.DataFrame(lines, columns=list(dict.fromkeys(name for x in lines for name in x)))

    def write_boards(self, out: str | Path, formats: Sequence[str] = ("markdown",)) -> list[Path]:
        """Write boards and their index below a folder, as ``mmbench leaderboard -o`` does.

        ``formats``: of ``markdown``, ``html``, ``csv`` and ``latex``. Gives the files' paths.

        Raises UserError for an unknown format, and for a file in the way that is no board.
        """
        from mmbench import report

        chosen = report.demand_formats(formats)
        return report.write_boards(self.reading, Path(out), formats=chosen)

    def ranks(self, model: str) -> pd.DataFrame:
        """The stored ranks of the rows that a name means: a line for each query and seed.

        Columns: ``dataset``, ``protocol``, ``model``, ``seed``, ``cell``, and those of
        ``mmbench.results.ranks.read_ranks``.

        Raises UserError where no row is called that, and ResultError for ranks that cannot be used.
        """
        from mmbench.data.tables import as_frame

        return self._each(self._rows(model), as_frame)

    @property
    def users(self) -> pd.DataFrame:
        """The figures of each user, row and seed; see ``user_figures``."""
        return self.user_figures()

    def user_figures(
        self, model: str | None = None, metrics: Sequence[str] = PER_USER
    ) -> pd.DataFrame:
        """The expected figures of each user: of one row or, by default, of all.

        Columns: ``dataset``, ``protocol``, ``model``, ``seed``, ``cell``, ``user`` (the source's
        own id; absent where old ranks do not name users), ``frequency``, ``history_length``,
        ``tied``, and ``<set> <metric>``.

        Raises UserError as ``ranks`` does, and ValueError for an unknown metric.
        """
        from mmbench.report.frames import user_figures

        pairs = self._all() if model is None else self._rows(model)
        return self._each(pairs, lambda table: user_figures(table, metrics))

    def lists(
        self,
        model: str,
        *,
        candidates: str = "unseen",
        data: str | None = None,
        protocol: str | None = None,
    ) -> list[Listed]:
        """What each finished cell of a row listed, in the dataset's own ids.

        The dataset is opened for it: by its id, or as ``data`` names it where that does not do.
        ``protocol`` is a name or, of a local one, its file; without it rows of published protocols
        are meant where there are any.

        Raises UserError where no row is called that, where the lists were not stored (as of sampled
        sets), or where the dataset is not as the cell had it.
        """
        from mmbench.data import load
        from mmbench.report.exports import find_lists

        return find_lists(self.reading, self._rows(model), candidates, load, data, protocol)

    def to_ranx(
        self,
        model: str,
        *,
        candidates: str = "unseen",
        data: str | None = None,
        protocol: str | None = None,
    ) -> tuple[Any, list[Any]]:
        """``ranx.Qrels`` and a ``ranx.Run`` for each finished cell of a row, see ``lists``.

        Lists end after 20 items, and items of equal score stand in an order of chance, so that
        figures with larger cutoffs are not those of boards, nor are those of rows with ties.

        Raises UserError as ``lists`` does, where rows of several boards are meant, and where ranx
        is not installed.
        """
        import importlib

        from mmbench.problems import UserError
        from mmbench.report.lists import as_dicts

        found = self.lists(model, candidates=candidates, data=data, protocol=protocol)
        if len({id(one.board) for one in found}) != 1:
            raise UserError(f"{model!r} means {len(found)} cells of several boards or of none")
        try:
            ranx = importlib.import_module("ranx")  # an option, which has no types
        except ImportError:
            raise UserError("ranx is not installed: pip install ranx") from None
        pairs = [(one.record.cell.id, *as_dicts(one.lists)) for one in found]
        runs = [ranx.Run.from_dict(run, name=cell) for cell, _, run in pairs]
        return ranx.Qrels.from_dict(pairs[0][1]), runs

    def to_trec(
        self,
        out: str | Path,
        model: str,
        *,
        candidates: str = "unseen",
        data: str | None = None,
        protocol: str | None = None,
    ) -> list[Path]:
        """Write the lists of a row as TREC files below a folder, and give their paths.

        White space in ids is written as ``%20``. Raises UserError as ``lists`` does, and OSError.
        """
        from mmbench.report.exports import write_trec

        found = self.lists(model, candidates=candidates, data=data, protocol=protocol)
        return write_trec(found, candidates, Path(out))

    def to_csv(
        self,
        out: str | Path,
        model: str,
        *,
        what: str = "users",
        candidates: str = "unseen",
        data: str | None = None,
        protocol: str | None = None,
    ) -> list[Path]:
        """Write the figures of each user, or with ``what="lists"`` the top lists, as CSV files.

        Raises as ``to_trec`` does.
        """
        from mmbench.report.exports import choose_protocol, write_lists, write_users

        if what == "users":
            rows = self._rows(model)
            chosen = rows if protocol is None else choose_protocol(rows, protocol)
            return write_users(self.reading, chosen, PER_USER, Path(out))
        found = self.lists(model, candidates=candidates, data=data, protocol=protocol)
        return write_lists(found, candidates, Path(out))

    def compare(
        self,
        a: str,
        b: str,
        *,
        candidates: str = "unseen",
        metric: str = "ndcg@10",
        margin: float = 0.01,
        data: str | None = None,
        protocol: str | None = None,
    ) -> Contrast:
        """How far two rows of one board differ, and how sure that is, see ``mmbench compare``.

        Raises UserError where a name means no row, or several.
        """
        from mmbench import report

        chosen = [
            board
            for board in self.boards
            if data in (None, board.dataset) and protocol in (None, board.protocol)
        ]
        pair = report.choose_rows(chosen, chosen, a, b, across=False)
        asked: dict[str, Any] = {"candidates": candidates, "metric": metric, "margin": margin}
        return report.contrast(self.reading, self.boards, *pair, **asked)

    def _all(self) -> list[tuple[Board, Row]]:
        return [(board, row) for board in self.boards for row in board.rows]

    def _rows(self, name: str) -> list[tuple[Board, Row]]:
        from mmbench import report
        from mmbench.problems import UserError

        found = report.find_rows(self.boards, name)
        if not found:
            known = ", ".join(sorted({row.name for _, row in self._all()})) or "none"
            raise UserError(f"no row is called {name!r}. Known: {known}")
        return found

    def _each(
        self, pairs: Sequence[tuple[Board, Row]], make: Callable[[Any], pd.DataFrame]
    ) -> pd.DataFrame:
        """A frame of each finished cell, told apart, one below the other."""
        import pandas as pd

        frames = []
        for board, row in pairs:
            for record in row.done:
                frame = make(self.reading.ranks(record))
                told: dict[str, Any] = {
                    "dataset": board.dataset,
                    "protocol": board.protocol,
                    "model": row.name,
                    "seed": record.cell.seed,
                    "cell": record.cell.id,
                }
                for at, (name, value) in enumerate(told.items()):
                    frame.insert(at, name, value)
                frames.append(frame)
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def read_results(folder: str | Path) -> Results:
    """The results below a folder. Raises FileNotFoundError where there is none."""
    from mmbench.results.read import read_results as read

    return Results(read(Path(folder)))


def run(
    models: str | Sequence[str],
    data: str | Sequence[str],
    *,
    seeds: int | str | Sequence[int] = 1,
    protocol: str = "",
    preset: str = "auto",
    settings: Mapping[str, Any] | None = None,
    limit: int | None = None,
    processes: int = 1,
    fit_on: str | None = None,
    out: str | Path = "results",
    jobs: int = 1,
    overwrite: str = "failed",
    timeout: float | None = None,
    memory: int | None = None,
    keep_fit: bool = False,
    say: Say = _quiet,
) -> Results:
    """Run models on datasets, as ``mmbench run`` does, and give the results of these cells.

    Args:
        models: names, or one text of them, comma-separated.
        data: ids, aliases or folders, as ``models``.
        seeds: a count, a text such as ``0,7``, or the seeds themselves.
        protocol: its name; by default the usual one.
        preset: ``auto``, ``paper``, ``small`` or ``tiny``.
        settings: ``{"model.key": value}``.
        limit: so many users only, a smoke run.
        processes: that fit a model together, each with a GPU, of models that can be fitted so.
        fit_on: the dataset to fit on, where it is another one.
        out: where results are stored; what is finished there is not run again.
        jobs: cells side by side.
        overwrite: ``never``, ``failed`` or ``always``.
        timeout: limit of a cell, in seconds.
        memory: limit of a cell, in bytes.
        keep_fit: keep what models learn beside their results, see ``mmbench recommend``.
        say: told what is being done.

    A cell that fails is a row without figures. Raises UserError for what cannot be, and
    KeyboardInterrupt.
    """
    from mmbench.grid.asked import make_grid, write_setting
    from mmbench.grid.family import Limits
    from mmbench.grid.host import Interrupted
    from mmbench.running import carry_out, plan_grid

    grid = make_grid(
        models=models,
        data=data,
        seeds=seeds if isinstance(seeds, int | str) else list(seeds),
        protocol=protocol,
        preset=preset,
        limit=limit,
        processes=processes,
        fit_on=fit_on,
        settings=[write_setting(name, value) for name, value in (settings or {}).items()],
    )
    rows = plan_grid(grid, Path(out), say=say)
    try:
        finished = carry_out(
            rows,
            Path(out),
            jobs=jobs,
            gpus_per_cell=float(processes),
            overwrite=overwrite,
            limits=Limits(timeout, memory),
            keep_fit=keep_fit,
            say=say,
        )
    except Interrupted:
        raise KeyboardInterrupt from None
    return results_of(finished, Path(out))


def results_of(finished: Sequence[Finished], out: Path) -> Results:
    """The results of the cells of a plan, and what had none."""
    from mmbench.results.read import Problem, Reading
    from mmbench.results.store import record_path

    records = tuple(done.record for done in finished if done.record is not None)
    problems = tuple(
        Problem(f"{done.row.label} on {done.row.dataset}, seed {done.row.seed}:", done.row.problem)
        for done in finished
        if done.row.problem
    )
    paths = {record.cell.id: record_path(out, record.cell) for record in records}
    kept = frozenset(one.record.cell.id for one in finished if one.record and one.row.kept)
    return Results(Reading(records, problems, paths), kept)
