"""The options of ``mmbench run`` that say where cells run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.problems import UserError, did_you_mean

if TYPE_CHECKING:
    from mmbench.cluster.send import Executor
    from mmbench.grid.family import Limits
    from mmbench.grid.plan import Planned

EXECUTORS = ("local", "ray", "slurm")


@dataclass(frozen=True, slots=True)
class Sending:
    """What was asked for.

    Attributes:
        executor: its name.
        address: of a Ray cluster.
        slurm: options of ``sbatch``.
        gpus: of a cell.
        write_plan: where a plan is written instead of carried out.
    """

    executor: str = "local"
    address: str | None = None
    slurm: str = ""
    gpus: float | None = None
    write_plan: Path | None = None

    def demand(self, *, in_process: bool, keep_fit: bool = False) -> None:
        """Raise UserError where options do not go together."""
        if self.executor not in EXECUTORS:
            hint = did_you_mean(self.executor, EXECUTORS)
            raise UserError(f"--executor is local, ray or slurm, not {self.executor}.{hint}")
        if self.address is not None and self.executor != "ray":
            raise UserError("--address goes with --executor ray")
        if self.slurm and self.executor != "slurm":
            raise UserError("--slurm goes with --executor slurm")
        if in_process and self.executor != "local":
            raise UserError(f"--in-process runs cells here, and not on {self.executor}")
        if keep_fit and (self.executor != "local" or self.write_plan is not None):
            raise UserError("--keep-fit keeps the fits of cells that run here: use it alone")

    @contextlib.contextmanager
    def opened(self, jobs: int) -> Iterator[Executor | None]:
        """The executor; None where cells run here. Raises UserError."""
        if self.executor == "ray":
            from mmbench.cluster.on_ray import RayExecutor

            ray = RayExecutor(self.address, gpus=self.gpus, jobs=jobs)
            try:
                yield ray
            finally:
                ray.close()
        elif self.executor == "slurm":
            from mmbench.cluster.on_slurm import SlurmExecutor

            yield SlurmExecutor(self.slurm, gpus=self.gpus)
        else:
            yield None

    def write(
        self, rows: Sequence[Planned], out: Path, protocol: str, overwrite: str, limits: Limits
    ) -> str:
        """Write the plan; what there is to say of it."""
        from mmbench.cluster.plan_file import make_plan_file, write_plan

        assert self.write_plan is not None
        plan = make_plan_file(rows, out, protocol=protocol, overwrite=overwrite, limits=limits)
        write_plan(plan, self.write_plan)
        due = [cell for cell in plan.cells if cell.due]
        file = self.write_plan
        told = f"plan {plan.digest} of {len(plan.cells)} cells, {len(due)} to run, in {file}"
        lines = [f"  mmbench cell {cell.key} --plan {file} --out {out}" for cell in due]
        return "\n".join([told, *lines])


def executors(incomplete: str) -> list[str]:
    """Names of executors that begin so."""
    return [name for name in EXECUTORS if name.startswith(incomplete)]
