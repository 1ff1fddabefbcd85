"""What a living process uses of shared memory stays, under whatever name it was made."""

import multiprocessing
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
