"""Full and read-only disks: one clear line, finished cells stay, the same command goes on."""

import os
import resource
import subprocess
import sys

import pytest

GRID = ["run", "-m", "counts,noise", "-d", "shop", "--seeds", "2"]


def calm(text):
    """Nothing in what a user sees looks like a crash."""
    return "Traceback" not in text and 'File "' not in text


def test_a_disk_that_fills_in_the_middle_of_a_grid(bench, small_disk, stored, leftovers):
    out = small_disk / "results"
    broken = bench.run(*GRID, "--out", str(out))
    assert broken.code == 1
    assert "No space left on device" in broken.err + broken.out
    assert calm(broken.err)
    before = stored(out)
    done = {cell for cell, (record, _) in before.items() if record["status"]["kind"] == "done"}
    assert 0 < len(done) < 4

    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    again = bench.run(*GRID, "--out", str(out))
    assert again.code == 0, again.err
    after = stored(out)
    assert len(after) == 4
    for cell in done:
        assert after[cell] == before[cell]  # not run again
    assert leftovers(out) == []


def test_a_full_disk_leaves_an_old_result_whole(bench, small_disk, stored, leftovers):
    out = small_disk / "results"
    run = ["run", "-m", "noise", "-d", "shop", "--out", str(out)]
    assert bench.run(*run).code == 0
    before = stored(out)
    free = os.statvfs(small_disk)
    (small_disk / "ballast").write_bytes(bytes(free.f_bavail * free.f_frsize - 8192))
    broken = bench.run(*run, "--overwrite", "always")
    assert broken.code == 1
    assert "No space left on device" in broken.err + broken.out
    assert stored(out) == before
    assert leftovers(out) == []


def test_a_full_cache_disk_is_named(bench, small_disk):
    bench.environment["MMBENCH_CACHE"] = str(small_disk / "cache")
    free = os.statvfs(small_disk)
    (small_disk / "ballast").write_bytes(bytes(free.f_bavail * free.f_frsize - 4096))
    done = bench.run(*GRID)
    assert done.code == 1
    assert "No space left on device" in done.err
    assert str(small_disk / "cache") in done.err
    assert "Make room" in done.err
    assert calm(done.err)


def test_a_limit_on_the_size_of_files(bench, stored):
    """What an account without rights on the disk's size can have: a quota's error."""
    assert bench.run("run", "-m", "counts", "-d", "shop").code == 0
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)); "
        "from mmbench.cli import main; main()"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", code, *GRID],
        cwd=bench.folder,
        env=bench.environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "error: File too large: " in done.stderr
    assert ".npy" in done.stderr
    assert calm(done.stderr)
    assert list(stored(bench.folder / "results")) == [("counts", 0)]


@pytest.fixture
def read_only(tmp_path):
    """A folder that even root cannot write to."""
    folder = tmp_path / "fixed"
    folder.mkdir()
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
        return
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no read-only disk can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_output_that_cannot_be_written(bench, read_only):
    """It is told before anything is planned; a folder that is not there is as bad as its parent."""
    done = bench.run(*GRID, "--out", str(read_only / "new"))
    assert (done.code, done.out) == (2, "")
    assert f"nothing can be stored in {read_only / 'new'}: " in done.err
    assert "Choose another folder with --out" in done.err
    assert calm(done.err)


def test_output_that_is_a_file(bench):
    (bench.folder / "taken").write_text("")
    done = bench.run(*GRID, "--out", "taken")
    assert (done.code, done.out) == (2, "")
    assert "nothing can be stored in taken: Not a directory" in done.err
    assert calm(done.err)
