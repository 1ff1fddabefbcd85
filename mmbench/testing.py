"""For authors of plugins: the conformance checks as pytest tests, and views to test with.

In a package's ``tests/test_conformance.py``::

    from mmbench.testing import parametrize_with_checks

    from mmbench_mine import Mine

    @parametrize_with_checks([Mine])
    def test_conformance(check):
        check()
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.check import CHECKS, LIMITS, Check, Lab, find_subject, judge

if TYPE_CHECKING:
    import pytest
    from PIL.Image import Image as Picture

    from mmbench.views import ImageStore, Interactions, Queries, Run


def make_images(path: Path, pictures: Sequence[Picture | None]) -> ImageStore:
    """Pictures of items 1, 2, 3 ... as a model is handed them; None where an item has none.

    ``path`` is the file to be written. Pictures are RGB, and kept as they are.
    """
    from mmbench.data.picture_file import write_pictures
    from mmbench.data.pixels import encode

    encoded = (b"" if picture is None else encode(picture) for picture in pictures)
    return write_pictures(path, len(pictures), encoded)


def make_interactions(sequences: Sequence[Sequence[int]], n_items: int) -> Interactions:
    """Training events of users 0, 1, 2 ...: the items of each, oldest first; time is position."""
    import numpy as np

    from mmbench.views import Interactions

    lengths = [len(items) for items in sequences]
    return Interactions(
        user=np.repeat(np.arange(len(sequences)), lengths).astype(np.int32),
        item=np.array([item for items in sequences for item in items], dtype=np.int32),
        time=np.array([time for length in lengths for time in range(length)], dtype=np.int64),
        n_users=len(sequences),
        n_items=n_items,
    )


def make_queries(
    histories: Sequence[Sequence[int]], width: int, user: Sequence[int] | None = None
) -> Queries:
    """Queries of ``width`` columns, left-padded; of a longer history the last events, times are 0.

    Users are 0, 1, 2 ... where they are not given.
    """
    import numpy as np

    from mmbench.views import Queries

    rows = np.zeros((len(histories), width), dtype=np.int32)
    for row, items in zip(rows, histories, strict=True):
        kept = items[-width:]
        row[width - len(kept) :] = kept
    of = np.arange(len(histories)) if user is None else user
    return Queries(np.asarray(of, dtype=np.int32), rows, np.zeros(rows.shape, dtype=np.int64))


def make_run(folder: Path, **changes: Any) -> Run:
    """A run of the preset ``tiny`` with seed 0 on the CPU: it validates to 0 and logs nothing.

    Args:
        folder: scratch and cache are below it; neither is made.
        changes: other values of the run's attributes.
    """
    from dataclasses import replace

    from mmbench.views import Run

    run = Run(
        seed=0,
        device="cpu",
        scratch=folder / "scratch",
        cache=folder / "cache",
        preset="tiny",
        validate=lambda limit=None: 0.0,
        log=lambda step, **values: None,
        progress=lambda done, total, unit: None,
    )
    return replace(run, **changes)


def parametrize_with_checks(
    models: Iterable[type | str], *, preset: str = "tiny", seconds: float | None = LIMITS.seconds
) -> pytest.MarkDecorator:
    """A pytest decorator: one test for each model and check.

    Args:
        models: classes, or names as ``mmbench check`` takes them.
        preset: ``tiny`` (``paper`` where a model has no such preset), ``paper`` or ``auto``.
        seconds: time limit of each cell.

    The decorated function takes ``check`` and calls it. A check that does not apply is skipped, one
    of the class's ``known_failures`` is an expected failure, and passing in spite of that fails.
    """
    import pytest

    from mmbench.grid.family import Limits

    parameters = []
    for model in models:
        name = model if isinstance(model, str) else model.__name__
        lab = Lab(find_subject(model, preset), limits=Limits(seconds))
        parameters += [
            pytest.param(_as_test(lab, check), id=f"{name}-{check.name}") for check in CHECKS
        ]
    return pytest.mark.parametrize("check", parameters)


def _as_test(lab: Lab, check: Check) -> Callable[[], None]:
    def run() -> None:
        import pytest

        verdict = judge(lab, check, CHECKS)
        lab.leave_desk()
        if verdict.bad:
            pytest.fail(f"{check.sentence}\n{verdict.reason}", pytrace=False)
        if verdict.status == "known failure":
            pytest.xfail(verdict.reason)
        if verdict.status == "skipped":
            pytest.skip(verdict.reason)

    return run
