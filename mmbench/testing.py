"""For authors of plugins: the conformance checks as pytest tests, and pictures to test with.

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
from typing import TYPE_CHECKING

from mmbench.check import CHECKS, LIMITS, Check, Lab, find_subject, judge

if TYPE_CHECKING:
    import pytest
    from PIL.Image import Image as Picture

    from mmbench.views import ImageStore


def make_images(path: Path, pictures: Sequence[Picture | None]) -> ImageStore:
    """Pictures of items 1, 2, 3 ... as a model is handed them; None where an item has none.

    ``path`` is the file to be written. Pictures are RGB, and kept as they are.
    """
    from mmbench.data.picture_file import write_pictures
    from mmbench.data.pixels import encode

    encoded = (b"" if picture is None else encode(picture) for picture in pictures)
    return write_pictures(path, len(pictures), encoded)


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
