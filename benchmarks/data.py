"""What the benchmarks measure on: a made-up log of any size, or a dataset by its name."""

from __future__ import annotations

import os

# One thread, before any library reads it: ratios are of work, not of cores.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import platform  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from importlib import metadata  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from mmbench.data import Log, load  # noqa: E402
from mmbench.data.fingerprint import Fingerprints  # noqa: E402
from mmbench.protocol import Split, get_protocol, split  # noqa: E402
from mmbench.views import Float32, Items  # noqa: E402

PROTOCOL = get_protocol("loo@2")


@dataclass(frozen=True)
class Task:
    """Who is asked, and vectors whose inner products are the scores."""

    name: str
    n_items: int
    split: Split
    queries: Float32
    items: Float32


def random_log(users: int, items: int, events: int = 9) -> Log:
    """Users with as many events each, of items that are all equally likely."""
    rng = np.random.default_rng(0)
    return Log(
        id="random",
        fingerprints=Fingerprints("0" * 16),
        secret=bytes(32),
        user=np.repeat(np.arange(users, dtype=np.int32), events),
        item=rng.integers(1, items + 1, users * events).astype(np.int32),
        time=np.tile(np.arange(events, dtype=np.int64), users),
        n_users=users,
        n_items=items,
        items=Items(items, {"title": ("",) * (items + 1)}),
        user_ids=tuple(map(str, range(users))),
        item_ids=tuple(map(str, range(items + 1))),
    )


def random_task(users: int, items: int, dim: int) -> Task:
    """Normal vectors: the hardest case for a search of the best, as no two scores are tied."""
    rng = np.random.default_rng(1)
    return Task(
        f"random, {users:,} x {items:,}, width {dim}",
        items,
        split(random_log(users, items), PROTOCOL),
        rng.standard_normal((users, dim), dtype=np.float32),
        rng.standard_normal((items + 1, dim), dtype=np.float32),
    )


def real_task(name: str, dim: int) -> Task:
    """A dataset, with item vectors from a truncated SVD of users x items, queries folded in."""
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import svds

    log = load(name)
    parts = split(log, PROTOCOL)
    train, shape = parts.train, (log.n_users, log.n_items + 1)
    ones = np.ones(len(train.item), np.float32)
    matrix = csr_array((ones, (train.user, train.item)), shape=shape)
    _, _, factors = svds(matrix, k=dim, v0=np.ones(min(shape), np.float32))
    items = np.ascontiguousarray(factors.T.astype(np.float32))
    items[0] = 0
    queries = items[parts.test.queries.history].sum(axis=1)
    return Task(
        f"{log.id}, {len(parts.test):,} x {log.n_items:,}, SVD of width {dim}",
        log.n_items,
        parts,
        queries,
        items,
    )


def describe_machine(threads: str = "one thread") -> str:
    """Processor, cores, versions, in a line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    versions = [f"numpy {np.__version__}"]
    for library in ("torch", "numba", "recbole", "ranx"):
        try:
            versions.append(f"{library} {metadata.version(library)}")
        except metadata.PackageNotFoundError:
            versions.append(f"no {library}")
    processor = names[0] if names else platform.machine()
    where = f"{processor}, {os.cpu_count()} cores, {threads} used"
    return f"{where}; Python {platform.python_version()}, {', '.join(versions)}"
