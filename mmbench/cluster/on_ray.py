"""Cells as tasks of a Ray cluster, each with a slot of processors and of GPUs.

Ray starts them and says which of its workers died; what is run again, when and how often, is
decided in ``mmbench.cluster.send``, so that Ray's own retries are off.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mmbench.cluster.plan_file import CellEntry, PlanFile
from mmbench.cluster.ray_task import wake, work
from mmbench.cluster.send import Ended
from mmbench.grid.registry import UsageError

GRACE = 10.0  # seconds in which cancelled cells put things in order


class RayExecutor:
    """Sends cells to a Ray cluster, or to one on this machine that it starts itself."""

    def __init__(
        self, address: str | None = None, *, gpus: float | None = None, jobs: int | None = None
    ) -> None:
        """Begin to connect, which takes seconds in which a plan can be made.

        Args:
            address: of a cluster's head, ``auto`` for that of this machine; None starts one.
            gpus: of a cell, also a part of one; None is 1 for a cell that wants one, else 0.
            jobs: processors of a cluster that is started here: as many cells side by side.

        Raises UsageError: Ray is not installed, or nobody is at the address.
        """
        if importlib.util.find_spec("ray") is None:
            raise UsageError("Ray is not installed: pip install 'mmbench[ray]'")
        if address:
            _demand_answer(address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        self.gpus = gpus
        self.ray: Any = None
        # Ray's own code cannot end by a signal's exception, which comes to the main thread alone;
        # and there alone it would put handlers in the place of ours
        self.apart = ThreadPoolExecutor(1)
        self.connected = self.apart.submit(self._connect, address, jobs)
        self.words: tuple[str, str, str] = ("", "", "")
        self.tasks: dict[Any, str] = {}

    def _connect(self, address: str | None, jobs: int | None) -> None:
        self.ray = importlib.import_module("ray")
        settings: dict[str, Any] = {"address": address}
        if not address:  # "local", as Ray would look for a cluster that once ran here
            settings = {"address": "local", "num_cpus": jobs, "include_dashboard": False}
        try:
            self.ray.init(log_to_driver=False, logging_level="error", **settings)
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = address or "this machine"
            raise UsageError(f"--executor ray: no cluster at {where}: {error}") from error
        if not address:
            task = self.ray.remote(wake).options(num_cpus=1, max_retries=0)
            for _ in range(jobs or 1):
                task.remote()

    def start(self, plan: PlanFile, path: Path, results: Path) -> None:
        """Look whether the cluster has what cells want.

        Raises UsageError: it has not, or there is no cluster.
        """
        self.connected.result()
        self.words = (str(path.absolute()), plan.digest, str(results.absolute()))
        wanted = max((self._gpus(cell) for cell in plan.cells if cell.due), default=0.0)
        there = self.ray.cluster_resources().get("GPU", 0.0)
        if wanted and wanted > there:
            raise UsageError(
                f"a cell wants {wanted:g} GPUs and the cluster has {there:g}: --gpus-per-cell 0 "
                "runs all on processors, --preset small takes what is made for them"
            )

    def submit(self, cells: Sequence[CellEntry]) -> None:
        """Send cells out."""
        self.apart.submit(self._submit, cells).result()

    def _submit(self, cells: Sequence[CellEntry]) -> None:
        path, digest, results = self.words
        task = self.ray.remote(work)
        for cell in cells:
            slot = task.options(
                num_cpus=1, num_gpus=self._gpus(cell), max_retries=0, name=cell.label[:80]
            )
            self.tasks[slot.remote(path, digest, cell.key, results)] = cell.key

    def poll(self) -> list[Ended]:
        """The tasks that ended since the last time."""
        return self.apart.submit(self._poll).result()

    def _poll(self) -> list[Ended]:
        if not self.tasks:
            return []
        waiting = list(self.tasks)
        ready, _ = self.ray.wait(waiting, num_returns=len(waiting), timeout=0, fetch_local=False)
        return [self._read(task) for task in ready]

    def cancel(self) -> None:
        """Interrupt all tasks; those that are still there after a while are killed."""
        self.apart.submit(self._cancel).result()

    def _cancel(self) -> None:
        for task in self.tasks:
            self.ray.cancel(task, force=False)
        if self.tasks:
            _, left = self.ray.wait(
                list(self.tasks), num_returns=len(self.tasks), timeout=GRACE, fetch_local=False
            )
            for task in left:
                self.ray.cancel(task, force=True)
        self.tasks.clear()

    def close(self) -> None:
        """Leave the cluster; one that was started here ends, at the latest when Python does.

        That takes a second, in which boards can be made.
        """
        self.apart.submit(self._disconnect)
        self.apart.shutdown(wait=False)

    def _disconnect(self) -> None:
        if self.ray is not None:
            self.ray.shutdown()

    def _gpus(self, cell: CellEntry) -> float:
        return float(cell.needs.gpu) if self.gpus is None else self.gpus

    def _read(self, task: Any) -> Ended:
        key, errors = self.tasks.pop(task), self.ray.exceptions
        try:
            how, reason = self.ray.get(task)
        except errors.OutOfMemoryError as error:
            return Ended(key, "out-of-memory", _first_line(error))
        except errors.RayTaskError as error:  # our own code failed there
            return Ended(key, "refused", f"the worker failed: {error}")
        except errors.RayError as error:
            return Ended(key, "lost", _first_line(error))
        return Ended(key, how, reason)


def _demand_answer(address: str) -> None:
    """Raise UsageError where nobody is at ``host:port``: Ray itself tries for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise UsageError(
            f"--executor ray: no cluster at {address} ({error.strerror or error}): start one with "
            "`ray start --head`"
        ) from error


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
