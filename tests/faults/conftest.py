"""What the fault tests look at: stored results, processes that should be gone, a small disk."""

import json
import os
import subprocess
import time

import psutil
import pyarrow.parquet as pq
import pytest


@pytest.fixture
def stored():
    """``stored(folder)`` is label and seed to (record, ranks), and checks that nothing is half."""

    def read(folder):
        found = {}
        for path in folder.glob("[!.]*/*/*/*.json"):
            record = json.loads(path.read_text())
            ranks = None
            if record["status"]["kind"] == "done":
                ranks = pq.read_table(path.with_suffix(".ranks.parquet")).to_pydict()
                pq.read_table(path.with_suffix(".top.parquet"))
            found[record["label"], record["cell"]["seed"]] = (record, ranks)
        return found

    return read


@pytest.fixture
def leftovers():
    """``leftovers(folder)``: temporary files, locks and scratch folders in a results folder."""
    return lambda folder: (
        [path for path in folder.rglob("*") if path.name.startswith(".") and path.is_file()]
        + list(folder.glob(".work/*"))
    )


@pytest.fixture
def children():
    """``children(folder)``: plugin processes whose scratch is in a folder, after a short grace."""

    def find(folder):
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            words = process.info["cmdline"] or []
            if process.info["status"] != psutil.STATUS_ZOMBIE and any(
                str(folder) in word for word in words
            ):
                found.append(process)
        return found

    def after_grace(folder, seconds=5):
        end = time.monotonic() + seconds
        while (found := find(folder)) and time.monotonic() < end:
            time.sleep(0.05)
        return found

    return after_grace


@pytest.fixture
def small_disk(tmp_path):
    """A folder that holds 136 KiB."""
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=136k", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
