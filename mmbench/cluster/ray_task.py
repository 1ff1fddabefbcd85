"""What runs in a Ray worker. It gets texts: a plan's place and digest, a key, a folder."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmbench.cluster.plan_file import PlanFile, read_plan
from mmbench.cluster.worker import Questions, run_key
from mmbench.data.places import cache_home
from mmbench.grid.environment import cuda_gpus
from mmbench.grid.plan import Planned
from mmbench.grid.registry import UsageError
from mmbench.grid.runner import Circumstances
from mmbench.problems import UserError
from mmbench.results.publish import Outrun
from mmbench.results.record import Record


class Unheard:
    """Nobody looks on here: the lease tells how far the cell is, and the record how it ended."""

    def cell_started(self, row: Planned) -> None:
        """A cell begins."""

    def cell_event(self, row: Planned, event: Mapping[str, Any]) -> None:
        """A message of a running cell."""

    def cell_finished(self, row: Planned, record: Record) -> None:
        """A cell ended."""


def wake() -> None:
    """Nothing: a worker that ran it has imported what cells need, and waits for one."""


def work(path: str, digest: str, key: str, results: str) -> tuple[str, str]:
    """Run a cell; how that ended, as ``send.Ended`` has it, and why."""
    cuda_gpus.cache_clear()  # a Ray worker gets other GPUs with each task
    try:
        plan, questions = _open(path, digest)
        how = Circumstances(cache=cache_home())
        run_key(plan, key, Path(results), Unheard(), how, questions=questions)
    except UserError as error:
        return "refused", str(error)
    except (Outrun, OSError) as error:
        return "lost", str(error)
    return "stored", ""


@functools.lru_cache(maxsize=2)
def _open(path: str, digest: str) -> tuple[PlanFile, Questions]:
    """A plan, and what it asks, for all cells that this process will run."""
    plan = read_plan(Path(path))
    if plan.digest != digest:
        raise UsageError(f"{path} is plan {plan.digest}, and {digest} was sent")
    return plan, Questions(plan)
