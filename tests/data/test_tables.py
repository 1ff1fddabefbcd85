"""Parquet and CSV files: what is read, and that no thread of Arrow's outlives it."""

import subprocess
import sys

import pandas as pd
import pyarrow as pa
import pytest

from mmbench.data import tables

COUNT = """
import os, sys
from pathlib import Path
import pandas as pd
import pyarrow as pa
from mmbench.data import tables

def threads():
    found = [Path(f"/proc/self/task/{name}/comm").read_text() for name in os.listdir("/proc/self/task")]
    return len([name for name in found if "jemalloc" not in name])  # the allocator's own

path = Path(sys.argv[1])
before = threads()
"""  # noqa: E501
WAYS = {
    "names": "tables.parquet_names(path)",
    "from a file": "tables.read_parquet(path, ['b', 'a'])",
    "from bytes": "tables.read_parquet(path.read_bytes())",
    "to pandas": "tables.as_frame(tables.read_parquet(path))",
    "to bytes": "tables.parquet_bytes(tables.read_parquet(path), {})",
    "csv": "tables.as_frame(tables.read_csv(path.with_suffix('.csv'), ',', True, ['a', 'b']))",
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A Parquet file of 10,000 rows in ten groups, and the same beside it as CSV."""
    frame = pd.DataFrame({"a": [f"x{row}" for row in range(10_000)], "b": range(10_000)})
    place = tmp_path_factory.mktemp("tables") / "table.parquet"
    frame.to_parquet(place, row_group_size=1000)
    frame.to_csv(place.with_suffix(".csv"), index=False)
    return place


def left_running(code: str, *words: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", f"{COUNT}\n{code}\nprint(threads() - before)", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
@pytest.mark.parametrize("way", WAYS)
def test_no_thread_outlives_a_table(path, way):
    assert left_running(WAYS[way], str(path)) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_a_thread_that_stays_would_be_seen(path):
    assert left_running("import pyarrow.parquet as pq; pq.read_table(path)", str(path)) > 0


def test_columns_come_in_the_order_that_was_asked_for(tmp_path):
    path = tmp_path / "dotted.parquet"
    pd.DataFrame({"a": [1, 2], "a.b": ["x", "y"], "c": [0.5, None]}).to_parquet(path)
    assert tables.parquet_names(path) == ["a", "a.b", "c"]
    assert tables.read_parquet(path, ["c", "a"]).to_pydict() == {"c": [0.5, None], "a": [1, 2]}
    assert tables.read_parquet(path).column_names == ["a", "a.b", "c"]


def test_a_table_comes_back_from_its_bytes():
    table = pa.table({"rank": pa.array([3, 1, 2], pa.int32()), "user": ["u", "v", "w"]})
    data = tables.parquet_bytes(table, {"rank": "BYTE_STREAM_SPLIT"})
    assert tables.read_parquet(data) == table
