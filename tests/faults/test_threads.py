"""A process whose work is done has no thread of a library left that could abort its end."""

import sys

import pytest

WORK = """
from pathlib import Path
import numpy, pandas, pyarrow
from mmbench.cli import app

def threads():
    names = [(task / "comm").read_text() for task in Path("/proc/self/task").iterdir()]
    return len([name for name in names if "jemalloc" not in name])  # the allocator's own

def mmbench(*words):
    try:
        app(list(words))
    except SystemExit as end:
        assert not end.code, words

before = threads()
run = ["run", "-m", "counts,noise", "-d", "shop", "--in-process"]
mmbench(*run)
mmbench(*run)  # from what is stored
mmbench("leaderboard", "results", "-o", "boards")
mmbench("compare", "counts", "noise", "-d", "shop")
print("more threads:", threads() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_a_grid_in_this_process_leaves_no_thread(bench):
    python, *_ = bench.command()
    bench.command = lambda *_: [python, "-c", WORK]
    done = bench.run()
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == "more threads: 0"
    assert (bench.folder / "boards" / "loo@2" / "shop.md").is_file()
