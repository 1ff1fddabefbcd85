"""What a model recommends to users: from a kept fit where there is one, else from its results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mmbench.problems import UserError

if TYPE_CHECKING:
    from mmbench.grid.asked import Grid
    from mmbench.grid.plan import Planned
    from mmbench.report.lists import Lists


class Recommended(NamedTuple):
    """The lists of the users that were asked about, and the kept fit that they are from."""

    lists: Lists
    fit: Path | None


def recommend(
    grid: Grid,
    users: Sequence[str],
    candidates: str,
    out: Path,
    *,
    fit: Path | None = None,
    say: Callable[[str], None],
) -> Recommended:
    """The lists of some users, of a grid of one model, dataset and seed.

    A kept fit answers where it lies beside the results in ``out``, or where ``fit`` names it, and
    nothing is fitted. Else the lists of the stored result do; the cell is run where there is none.

    Raises UserError for what cannot be, such as a fit of other code, config or data.
    """
    from mmbench.results.fits import fit_path
    from mmbench.running import carry_out, plan_grid

    rows = plan_grid(grid, out, say=say)
    row = rows[-1]  # after those that it starts from
    if row.job is None or row.inapplicable:
        raise UserError(_no_answer(row, row.problem or row.inapplicable))
    beside = fit_path(out, row.job.cell)
    if fit is not None or beside.exists():
        kept = fit if fit is not None else beside
        say(f"answering from the kept fit {kept}")
        return Recommended(_from_fit(row, kept, users, candidates), kept)
    from mmbench import api

    finished = carry_out(rows, out, say=say)
    record = finished[-1].record
    if record is None or not record.done:
        raise UserError(_no_answer(row, record.status.reason if record else "it was not run"))
    found = api.results_of(finished, out)
    listed = found.lists(
        record.cell.id, candidates=candidates, data=grid.data[0], protocol=grid.protocol
    )
    return Recommended(listed[-1].lists.of(users), None)


def _no_answer(row: Planned, reason: str) -> str:
    return f"{row.label} on {row.dataset} has no answer: {reason}"


def _from_fit(row: Planned, fit: Path, users: Sequence[str], candidates: str) -> Lists:
    from mmbench.data.places import cache_home
    from mmbench.files import temporary_folder
    from mmbench.grid.answering import list_items
    from mmbench.grid.runner import Circumstances
    from mmbench.protocol import take
    from mmbench.report.lists import lists_of, places_of
    from mmbench.results.fits import read_fit

    assert row.job is not None and row.question is not None
    question, log = row.question, row.question.log
    sets = {one.name: one for one in question.protocol.candidate_sets if not one.sampled}
    if candidates not in sets:
        raise UserError(f"there are no lists for {candidates}, but for {', '.join(sets)}")
    arrays = read_fit(fit, row.job.cell)
    fold = question.split.test
    rows = places_of([log.user_ids[user] for user in fold.user.tolist()], users)
    with temporary_folder() as scratch:
        how = Circumstances(cache=cache_home())
        numbers = list_items(row.job, question, scratch, how, arrays, sets[candidates], rows)
    return lists_of(take(fold, rows), numbers, log)
