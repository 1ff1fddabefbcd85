"""The same results are the same boards, whichever kernel and however many threads a BLAS takes."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

USERS = 3_000
MACHINES = [
    {"OPENBLAS_CORETYPE": core, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
    for core, threads in (
        ("Haswell", "1"),
        ("Haswell", "2"),
        ("SkylakeX", "1"),
        ("Zen", "4"),
        ("Prescott", "1"),
        ("Nehalem", "2"),
    )
]


@pytest.fixture
def results(store, make_record):
    """Rows of several seeds and of one, near enough for groups to hang on the last digits."""
    rng = np.random.default_rng(5)
    taste = rng.integers(0, 30, USERS)
    records, tables = [], {}
    for worse, (model, seeds) in enumerate((("a", 3), ("b", 3), ("c", 2), ("d", 1), ("e", 1))):
        for seed in range(seeds):
            record = make_record(model, seed, 0.04 - 0.001 * worse, queries=USERS)
            above = np.maximum(0, taste + worse // 2 + rng.integers(-4, 5, USERS)).astype(np.int32)
            tables[record["cell"]["id"]] = pa.table(
                {
                    "query": np.arange(USERS, dtype=np.int32),
                    "user": [f"u{number}" for number in range(USERS)],
                    "frequency": rng.integers(0, 60, USERS).astype(np.int32),
                    "history_length": rng.integers(1, 60, USERS).astype(np.int32),
                    **{f"greater_{name}": above for name in ("full", "unseen", "neg100")},
                    **{
                        f"equal_{name}": rng.integers(0, 2, USERS).astype(np.int32)
                        for name in ("full", "unseen", "neg100")
                    },
                }
            )
            records.append(record)
    return store(records, tables=tables)


def written(results, out, machine):
    """The digests of all boards in all formats, as a process on such a machine writes them."""
    words = ["leaderboard", str(results), "-o", str(out), "--format", "markdown,html,csv,latex"]
    environment = {**os.environ, **machine, "MMBENCH_CACHE": str(out / "cache")}
    subprocess.run(
        [sys.executable, "-c", "from mmbench.cli import main; main()", *words],
        env=environment,
        check=True,
        capture_output=True,
    )
    files = (path for path in sorted(out.rglob("*")) if path.is_file())
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if "cache" not in path.parts
    }


@pytest.mark.slow
def test_same_bytes_on_every_kernel_and_number_of_threads(results, tmp_path):
    found = [written(results, tmp_path / str(k), machine) for k, machine in enumerate(MACHINES)]
    assert {"README.md", "index.html", "loo@2/toy-shop.html"} <= set(found[0])
    for machine, own in zip(MACHINES, found, strict=True):
        assert own == found[0], machine
