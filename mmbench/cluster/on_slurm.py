"""Cells as tasks of Slurm arrays: each is ``mmbench cell KEY``, with nothing between it and Slurm.

The script is written here. A library such as submitit pickles what it runs, and puts a process of
its own between Slurm and the cell, which takes the signal that tells of preemption and hands none
on: the cell would be killed instead of given back.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmbench.cluster.plan_file import CellEntry, PlanFile
from mmbench.cluster.send import Ended
from mmbench.grid.registry import UsageError, split_list
from mmbench.problems import did_you_mean

OURS = {"array", "output", "error", "signal", "requeue", "open-mode", "parsable", "wrap", "chdir"}
NOTICE = 60  # seconds before its end in which a task is told
EVERY = 10.0  # seconds between two questions to Slurm
LOST_AFTER = 3  # answers without a task before it is taken for ended
COMMAND = "from mmbench.cli import main; main()"


class SlurmExecutor:
    """Sends cells to Slurm as job arrays, those with a GPU apart."""

    def __init__(self, options: str = "", *, gpus: float | None = None) -> None:
        """Look for Slurm.

        Args:
            options: ``partition=gpu,time=2:00:00``, as ``sbatch`` has them in long.
            gpus: of a cell; None is 1 for a cell that wants one, else 0.

        Raises UsageError: there is no Slurm, or an option cannot be.
        """
        for tool in ("sbatch", "squeue", "scancel"):
            if shutil.which(tool) is None:
                raise UsageError(
                    f"--executor slurm: there is no {tool} here; is this a login node?"
                )
        if gpus is not None and gpus != int(gpus):
            raise UsageError(f"--gpus-per-cell {gpus:g}: Slurm gives whole GPUs")
        self.options, self.gpus = read_options(options), gpus
        self.plan: PlanFile | None = None
        self.path, self.results = Path(), Path()
        self.tasks: dict[str, str] = {}  # Slurm's name of a task, and its key
        self.missed: defaultdict[str, int] = defaultdict(int)
        self.asked = 0.0

    def start(self, plan: PlanFile, path: Path, results: Path) -> None:
        """Get ready for the cells of a plan."""
        self.plan, self.path, self.results = plan, path.absolute(), results.absolute()

    def submit(self, cells: Sequence[CellEntry]) -> None:
        """Send cells out, as an array for each number of GPUs. Raises UsageError."""
        groups: defaultdict[int, list[str]] = defaultdict(list)
        for cell in cells:
            gpus = int(cell.needs.gpu) if self.gpus is None else int(self.gpus)
            groups[gpus].append(cell.key)
        for gpus, keys in groups.items():
            job = self._sbatch(keys, gpus)
            self.tasks |= {f"{job}_{number}": key for number, key in enumerate(keys)}

    def poll(self) -> list[Ended]:
        """The tasks that Slurm knows no more since the last time."""
        now = time.monotonic()
        if not self.tasks or now - self.asked < EVERY:
            return []
        self.asked = now
        listed = _run("squeue", "--me", "--noheader", "--array", "--format=%i")
        if listed.returncode:  # it is busy: ask again later
            return []
        known = set(listed.stdout.split())
        ended = []
        for task in list(self.tasks):
            # one that was just sent, or is on its way back to the queue, may be absent for a moment
            self.missed[task] = 0 if task in known else self.missed[task] + 1
            if self.missed[task] >= LOST_AFTER:
                key = self.tasks.pop(task)
                ended.append(Ended(key, "lost", self._last_words(task)))
        return ended

    def cancel(self) -> None:
        """Stop all that was sent, by the signal that an interrupt is."""
        jobs = sorted({task.partition("_")[0] for task in self.tasks})
        if jobs:
            _run("scancel", *jobs)
        self.tasks.clear()

    def _sbatch(self, keys: Sequence[str], gpus: int) -> str:
        """Submit an array; its job's number."""
        assert self.plan is not None
        logs = self.path.parent / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        text = script(keys, self.path, self.results, logs, self._options(gpus))
        done = _run("sbatch", "--parsable", text=text)
        if done.returncode:
            raise UsageError(f"sbatch: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout.strip().partition(";")[0]

    def _options(self, gpus: int) -> dict[str, str]:
        assert self.plan is not None
        found: dict[str, str] = {"job-name": f"mmbench-{self.plan.digest[:6]}"}
        if gpus:
            found["gpus"] = str(gpus)
        if self.plan.memory:
            found["mem"] = f"{-(-self.plan.memory // 2**20)}M"
        return found | self.options

    def _last_words(self, task: str) -> str:
        """How a task's log ends."""
        log = self.path.parent / "logs" / f"{task}.log"
        try:
            lines = log.read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return f"Slurm's task {task} ended ({lines[-1] if lines else 'it wrote nothing'})"


def script(
    keys: Sequence[str], plan: Path, results: Path, logs: Path, options: Mapping[str, str]
) -> str:
    """The batch script of an array: its n-th task runs the n-th key."""
    told = {
        "array": f"0-{len(keys) - 1}",
        "output": str(logs / "%A_%a.log"),
        "open-mode": "append",
        "signal": f"B:USR1@{NOTICE}",  # to the cell, which takes the place of the script
        **options,
    }
    heads = [f"#SBATCH --{key}{'=' + value if value else ''}" for key, value in told.items()]
    words = ["--plan", str(plan), "--out", str(results)]
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(COMMAND)}"
    return "\n".join(
        [
            "#!/bin/sh",
            *heads,
            "#SBATCH --requeue",
            f"set -- {' '.join(keys)}",
            'shift "$SLURM_ARRAY_TASK_ID"',
            f'exec {command} cell "$1" {shlex.join(words)}',
            "",
        ]
    )


def read_options(text: str) -> dict[str, str]:
    """``partition=gpu,exclusive`` as options of ``sbatch``. Raises UsageError."""
    found = {}
    for part in split_list(text):
        key, _, value = part.partition("=")
        key = key.strip().lstrip("-")
        if key in OURS:
            raise UsageError(f"--slurm {part}: mmbench says {key} itself")
        if not key.replace("-", "").isalnum() or "\n" in value:
            raise UsageError(f"--slurm {part}: write key=value,key=value as sbatch has them")
        if len(key) == 1:
            long = ("partition", "time", "account", "qos", "mem", "constraint", "nodes")
            raise UsageError(f"--slurm {part}: write options in long.{did_you_mean(key, long)}")
        found[key] = value.strip()
    return found


def _run(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, input=text, capture_output=True, text=True, timeout=120, check=False, env=os.environ
    )
