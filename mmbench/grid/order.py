"""Which cells may begin: one that starts from another waits for that one's end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from mmbench.grid.plan import Planned


class Order:
    """Rows that are due; each may begin once the one that it starts from has ended."""

    def __init__(self, todo: Sequence[Planned]) -> None:
        due = {row_id(row) for row in todo}
        self._first: list[Planned] = []
        self._after: defaultdict[str, list[Planned]] = defaultdict(list)
        for row in todo:
            upstream = upstream_id(row)
            if upstream in due:
                self._after[str(upstream)].append(row)
            else:
                self._first.append(row)

    def begin(self) -> list[Planned]:
        """Those that wait for nobody."""
        return list(self._first)

    def ended(self, row: Planned) -> list[Planned]:
        """Those that waited for a row, however it ended."""
        return self._after.pop(row_id(row), [])


def row_id(row: Planned) -> str:
    """The id of a row's cell."""
    assert row.job is not None
    return row.job.cell.id


def upstream_id(row: Planned) -> str | None:
    """The id of the cell that a row's cell starts from."""
    assert row.job is not None
    return row.job.upstream.cell.id if row.job.upstream else None
