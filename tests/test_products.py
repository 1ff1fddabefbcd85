import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mmbench.products import FEWEST_ROWS, MOST_ROWS, Products, block_rows, find_duplicates

HERE = Path(__file__).parent
# what numpy's OpenBLAS takes for OPENBLAS_CORETYPE, and what a processor must have for it
CORES = {
    "Prescott": set(),
    "Nehalem": {"sse4_2"},
    "Sandybridge": {"avx"},
    "Haswell": {"avx2", "fma"},
    "Zen": {"avx2", "fma"},
    "SkylakeX": {"avx512f", "avx512bw", "avx512vl"},
    "Cooperlake": {"avx512f", "avx512bw", "avx512vl", "avx512_bf16"},
    "SapphireRapids": {"avx512f", "avx512bw", "avx512vl", "avx512_bf16", "amx_tile"},
}


def capable_of():
    """The core types whose kernels this processor can run; "" is what the library would choose."""
    info = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not info.exists():
        return [""]
    flags = next(line for line in info.read_text().splitlines() if line.startswith("flags"))
    return ["", *(core for core, needs in CORES.items() if needs <= set(flags.split()))]


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("core", capable_of())
def test_ties_and_company_under_every_kernel(core, threads):
    """The library reads both variables when it is loaded, so each child has its own."""
    settings = {"OPENBLAS_CORETYPE": core, "OPENBLAS_NUM_THREADS": threads}
    done = subprocess.run(
        [sys.executable, HERE / "ties.py"],
        env={**os.environ, **settings, "OMP_NUM_THREADS": threads},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "held\n", done.stderr


def vectors(most=60):
    """float32[n, d] with few distinct numbers, so that many rows are equal or nearly so."""
    numbers = st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-42, np.float32(0.1)])
    shapes = st.tuples(st.integers(1, most), st.integers(0, 4))
    return shapes.flatmap(lambda shape: arrays.arrays(np.float32, shape, elements=numbers))


@given(vectors())
def test_duplicates_are_what_numpy_finds_equal(rows):
    later, first = find_duplicates(rows)
    equal = (rows[:, None] == rows[None]).all(axis=2)
    earliest = equal.argmax(axis=1)
    assert np.array_equal(later, np.flatnonzero(earliest < np.arange(len(rows))))
    assert np.array_equal(first, earliest[later])


def test_duplicates_far_apart_are_found_among_many():
    rows = np.random.default_rng(0).standard_normal((9000, 64)).astype(np.float32)
    rows[[8999, 17, 5000]] = rows[4]
    later, first = find_duplicates(rows)
    assert later.tolist() == [17, 5000, 8999]
    assert first.tolist() == [4, 4, 4]


def test_vectors_that_float32_makes_equal_are_equal():
    later, _ = find_duplicates(np.array([[1.0], [1.0 + 1e-12], [1.0 + 1e-3]]))
    assert later.tolist() == [1]


def test_equal_numbers_of_unequal_rows_do_not_make_them_equal(monkeypatch):
    """Rows that share the sum by which they are found are told apart."""
    monkeypatch.setattr(
        np.random, "default_rng", lambda seed: type("", (), {"integers": lambda *_, **__: ONE})
    )
    later, first = find_duplicates(np.array([[1, 2], [2, 1], [1, 2], [2, 1]], np.float32))
    assert (later.tolist(), first.tolist()) == ([2, 3], [0, 1])


ONE = np.ones(2, np.uint64)


@settings(deadline=None)
@given(vectors(), st.integers(1, 150), st.data())
def test_scores_are_level_and_a_query_s_own(items, count, data):
    draw = arrays.arrays(np.float32, (count, items.shape[1]), elements=st.floats(-9, 9, width=32))
    queries = data.draw(draw)
    products = Products(items)
    scores = products.rate(queries)
    assert scores.shape == (count, len(items))
    np.testing.assert_allclose(scores, queries.astype(np.float64) @ items.T, atol=1e-4)
    later, first = find_duplicates(items)
    assert np.array_equal(scores[:, later], scores[:, first])
    start = data.draw(st.integers(0, count - 1))
    stop = data.draw(
        st.integers(start + 1, min(start - start % products.rows + products.rows, count))
    )
    place = start % products.rows
    out = np.empty((products.rows, len(items)), np.float32)
    products.fill(queries[start:stop], place, out)
    assert np.array_equal(out[place : place + stop - start], scores[start:stop])


def test_no_query_has_no_scores():
    assert Products(np.ones((3, 2))).rate(np.empty((0, 2))).shape == (0, 3)


@pytest.mark.parametrize(
    ("n_items", "rows"),
    [(1, MOST_ROWS), (12_101, 64), (131_072, 64), (200_000, 41), (10**6, FEWEST_ROWS)],
)
def test_rows_of_a_block(n_items, rows):
    assert block_rows(n_items) == rows
