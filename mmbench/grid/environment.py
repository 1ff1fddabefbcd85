"""Where a cell runs: devices, versions and the state of the code, recorded beside its numbers."""

from __future__ import annotations

import functools
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

VISIBLE = "CUDA_VISIBLE_DEVICES"
LIBRARIES = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "torch",
    "transformers",
    "peft",
    "recbole",
    "numba",
)


@dataclass(frozen=True, slots=True)
class Gpu:
    """A CUDA GPU: what ``CUDA_VISIBLE_DEVICES`` calls it, and its name."""

    key: str
    name: str


@functools.cache
def cuda_gpus() -> tuple[Gpu, ...]:
    """The CUDA GPUs that a process may use, asked of the driver (torch stays out)."""
    visible = os.environ.get(VISIBLE)
    if visible is not None and visible.strip() in ("", "-1"):
        return ()
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    try:
        answer = subprocess.run(
            [tool, "--query-gpu=index,uuid,name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    rows = [line.split(",", 2) for line in answer.stdout.splitlines() if line.count(",") >= 2]
    gpus = [tuple(part.strip() for part in row) for row in rows]
    if visible is None:
        return tuple(Gpu(index, name) for index, _, name in gpus)
    found = []
    for key in (part.strip() for part in visible.split(",")):
        name = next((n for i, uuid, n in gpus if key == i or uuid.startswith(key)), None)
        if not key or name is None:  # CUDA, too, ignores what stands after a wrong one
            break
        found.append(Gpu(key, name))
    return tuple(found)


def describe_machine() -> dict[str, Any]:
    """Python, processor, cores, GPUs and the versions of the libraries that make numbers."""
    packages = {}
    for name in LIBRARIES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": _cores(),
        "gpu": ", ".join(gpu.name for gpu in cuda_gpus()) or None,
        "packages": packages,
    }


@functools.cache
def code_state(*distributions: str) -> dict[str, Any]:
    """The commit of checkouts that distributions are installed from, and whether any is edited.

    ``dirty`` is true where a checkout's package files differ from its commit: such a cell cannot
    be made again from a version number, and published boards refuse it.
    """
    commit, dirty = None, False
    for name in distributions:
        root = _checkout(name)
        if root is None:
            continue
        commit = _git(root, "rev-parse", "HEAD") or commit
        package = name.replace("-", "_")
        code = [part for part in (package, f"{package}.py", "src") if (root / part).exists()]
        dirty = dirty or bool(_git(root, "status", "--porcelain", "--", *code, "pyproject.toml"))
    return {"commit": commit, "dirty": dirty}


def _checkout(distribution: str) -> Path | None:
    """The source folder of an editable install."""
    try:
        text = metadata.distribution(distribution).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    url = json.loads(text) if text else {}
    if not url.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlparse(url["url"]).path))


def _git(root: Path, *words: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def threads_of(environment: Mapping[str, str]) -> int:
    """How many threads libraries take in a process with this environment: as told, or all cores."""
    told = environment.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(told) if told.isdecimal() and int(told) else _cores()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
