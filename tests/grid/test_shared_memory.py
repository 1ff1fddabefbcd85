"""What a living process uses of shared memory stays, under whatever name it was made."""

import multiprocessing
import os
import subprocess
import sys
from multiprocessing.shared_memory import SharedMemory

import pytest

from mmbench.grid.shared_memory import FOLDER, list_files, remove_new

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="shared memory is not a folder")


def test_semaphores_and_blocks_in_use_stay():
    before = list_files()
    lock = multiprocessing.get_context("spawn").Lock()
    block = SharedMemory(create=True, size=16)
    try:
        made = list_files() - before
        remove_new(before)
        assert made <= list_files()
        assert (FOLDER / block.name).exists()
        with lock:
            pass
    finally:
        block.close()
        block.unlink()


def test_what_a_cell_leaves_in_shared_memory_is_removed_but_for_what_is_in_use():
    before = list_files()
    names = [f"mmbench-test-{os.getpid()}-{kind}" for kind in ("left", "open", "mapped")]
    left, opened, mapped = (FOLDER / name for name in names)
    for path in (left, opened, mapped):
        path.write_bytes(bytes(4096))
    holder = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import mmap, sys; held = open(sys.argv[1]); file = open(sys.argv[2], 'r+b')\n"
            "mapped = mmap.mmap(file.fileno(), 0); file.close()\n"
            "print('ready', flush=True); input()",
            *(str(opened), str(mapped)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        holder.stdout.readline()
        remove_new(before)
        assert [path.exists() for path in (left, opened, mapped)] == [False, True, True]
        holder.communicate(b"\n")
        remove_new(before)
        assert [path.exists() for path in (left, opened, mapped)] == [False, False, False]
    finally:
        holder.kill()
        holder.wait()
        for path in (left, opened, mapped):
            path.unlink(missing_ok=True)
