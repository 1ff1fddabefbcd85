"""Killed at any moment: finished cells stay, nothing is half, nobody is left, the rest resumes."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time

import psutil
import pytest

GRID = ["run", "-m", "counts", "-d", "shop", "--seeds", "4", "--set", "counts.sleep=0.1"]
SEED = 20


@pytest.fixture
def ranks(stored):
    """Ranks of every stored cell, all of which must be done."""

    def read(folder):
        found = stored(folder)
        assert {record["status"]["kind"] for record, _ in found.values()} == {"done"}
        return {cell: columns for cell, (_, columns) in found.items()}

    return read


def plugin_of(parent, at_work=True):
    """A process of the grid that holds a plugin (and, ``at_work``, a cell); None if none is up."""
    try:
        offspring = psutil.Process(parent.pid).children()
    except psutil.NoSuchProcess:
        return None
    for child in offspring:
        try:
            words = child.cmdline()
        except psutil.Error:
            continue
        if "mmbench.grid.child" in words and (not at_work or ".work" in words[-2]):
            return child
    return None


def wait_for_cell(parent, seconds=60):
    end = time.monotonic() + seconds
    while (child := plugin_of(parent)) is None:
        assert parent.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    return child


@pytest.mark.slow
def test_a_grid_that_is_killed_again_and_again(bench, ranks, stored, leftovers, children):
    """Ten kills, of the parent and of the child in turn, each a random while into the work."""
    whole, broken = bench.folder / "whole", bench.folder / "broken"
    assert bench.run(*GRID, "--out", str(whole)).code == 0
    rng = random.Random(SEED)
    for number in range(10):
        ended = [record["status"]["kind"] for record, _ in stored(broken).values()]
        if ended.count("done") == 4:  # the later kills let it come to its end: begin again
            shutil.rmtree(broken)
        grid = bench.start(*GRID, "--out", str(broken))
        child = wait_for_cell(grid)
        time.sleep(rng.uniform(0, 0.5))
        victim = grid if number % 2 else plugin_of(grid) or child
        with contextlib.suppress(ProcessLookupError):  # the child has just come to its own end
            os.kill(victim.pid, signal.SIGKILL)
        _, err = grid.communicate(timeout=60)
        assert "Traceback" not in err
        assert number % 2 == 0 or grid.returncode == -signal.SIGKILL
        assert children(broken) == []
        stored(broken)  # whatever is there is whole
    assert bench.run(*GRID, "--out", str(broken)).code == 0
    assert ranks(broken) == ranks(whole)
    assert leftovers(broken) == []


def test_a_killed_plugin_is_a_row_that_says_so_and_runs_again(bench, stored):
    out = bench.folder / "results"
    run = ["run", "-m", "counts/slow,noise", "-d", "shop", "--out", str(out)]
    grid = bench.start(*run)
    wait_for_cell(grid).kill()
    shown, _ = grid.communicate(timeout=60)
    assert grid.returncode == 1
    assert "failed counts/slow on shop, seed 0: the process was killed by SIGKILL" in shown
    found = stored(out)
    assert "killed by SIGKILL" in found["counts/slow", 0][0]["status"]["reason"]
    assert found["noise", 0][0]["status"]["kind"] == "done"
    again = bench.run(*run)
    assert again.code == 0
    assert "failed, run again" in again.out
    assert "1 of 2 cells to run" in again.out
    assert stored(out)["counts/slow", 0][0]["status"]["kind"] == "done"


@pytest.mark.parametrize(
    ("number", "way"),
    [
        (signal.SIGINT, []),
        (signal.SIGTERM, ["--jobs", "2"]),
        (signal.SIGHUP, []),
        (signal.SIGQUIT, ["--jobs", "2"]),
        (signal.SIGINT, ["--in-process"]),
    ],
)
def test_a_polite_end(bench, stored, leftovers, children, number, way):
    out = bench.folder / "results"
    run = ["run", "-m", "noise,counts/slow", "-d", "shop", "--out", str(out)]
    run += ["--set", "counts.epochs=9", *way]
    grid = bench.start(*run)
    end = time.monotonic() + 60
    while not list(out.glob("shop/*/noise/*.json")) and time.monotonic() < end:
        time.sleep(0.01)
    grid.send_signal(number)
    shown, err = grid.communicate(timeout=20)
    assert grid.returncode == 130
    assert "interrupted: finished cells are stored" in shown
    assert err == ""
    assert list(stored(out)) == [("noise", 0)]
    assert children(out) == []
    if "--in-process" not in way:  # a thread cannot be ended, and may write to the last
        assert leftovers(out) == []


LATE = """
import atexit, os, signal, time
import shelf
from mmbench import hookimpl

class Late(shelf.Noise):
    @hookimpl
    def fit(self, train, run):
        atexit.register(print, "Python has ended", flush=True)
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            time.sleep(0.01)
"""


def test_python_does_not_end_under_a_plugin_that_is_at_work(bench):
    """Compiled code that comes back to a Python that has ended aborts the process."""
    bench.add("late", LATE, late="Late")
    grid = bench.start("run", "-m", "late", "-d", "shop", "--in-process")
    out, err = grid.communicate(timeout=60)
    assert grid.returncode == 130, err
    assert "Python has ended" not in out


def test_under_nohup_the_end_of_a_terminal_ends_nothing(bench, stored):
    run = bench.command("run", "-m", "counts/slow", "-d", "shop")
    grid = subprocess.Popen(
        ["nohup", *run],
        cwd=bench.folder,
        env=bench.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    bench.started.append(grid)
    wait_for_cell(grid)
    grid.send_signal(signal.SIGHUP)
    grid.communicate(timeout=60)
    assert grid.returncode == 0
    assert list(stored(bench.folder / "results")) == [("counts/slow", 0)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_an_end_while_the_plan_is_made(bench, number):
    bench.add("sleepy", "import time\ntime.sleep(60)\n", sleepy="Model")
    grid = bench.start("run", "-m", "sleepy", "-d", "shop")
    end = time.monotonic() + 60
    while plugin_of(grid, at_work=False) is None and time.monotonic() < end:
        time.sleep(0.01)
    grid.send_signal(number)
    out, err = grid.communicate(timeout=20)
    assert (grid.returncode, out, err) == (130, "", "interrupted\n")


def test_a_plugin_that_sits_on_the_interpreter_dies_with_its_parent(bench, children):
    bench.add(
        "stubborn",
        "import re, shelf\nfrom mmbench import hookimpl\n"
        "class Model(shelf.Noise):\n"
        "    @hookimpl\n"
        "    def fit(self, train, run):\n"
        "        (run.scratch / 'up').touch()\n"
        "        re.match('(a+)+$', 'a' * 60 + 'b')\n",  # never lets go of the interpreter's lock
        stubborn="Model",
    )
    out = bench.folder / "results"
    grid = bench.start("run", "-m", "stubborn", "-d", "shop", "--out", str(out))
    while not list(out.glob(".work/*/scratch/up")):
        assert grid.poll() is None
        time.sleep(0.02)
    time.sleep(0.2)
    grid.kill()
    grid.communicate()
    assert children(out) == []


def test_what_a_plugin_started_does_not_outlive_the_parent(bench, children):
    bench.add(
        "busy",
        "import subprocess, sys, time, shelf\nfrom mmbench import hookimpl\n"
        "class Model(shelf.Noise):\n"
        "    @hookimpl\n"
        "    def fit(self, train, run):\n"
        "        words = [sys.executable, '-c', 'import time; time.sleep(60)', str(run.scratch)]\n"
        "        subprocess.Popen(words)\n"
        "        (run.scratch / 'up').touch()\n"
        "        time.sleep(60)\n",
        busy="Model",
    )
    out = bench.folder / "results"
    grid = bench.start("run", "-m", "busy", "-d", "shop", "--out", str(out))
    while not list(out.glob(".work/*/scratch/up")):
        assert grid.poll() is None
        time.sleep(0.02)
    grid.kill()
    grid.communicate()
    assert children(out) == []


def test_a_fork_that_a_dead_plugin_left_does_not_hold_the_grid(bench, stored):
    """It keeps the dead one's end of the channel open, so no end of file tells of the death."""
    bench.add(
        "forker",
        "import os, signal, time, shelf\nfrom mmbench import hookimpl\n"
        "class Model(shelf.Noise):\n"
        "    @hookimpl\n"
        "    def fit(self, train, run):\n"
        "        if os.fork() == 0:\n"
        "            time.sleep(30)\n"
        "            os._exit(0)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n",
        forker="Model",
    )
    started = time.monotonic()
    done = bench.run("run", "-m", "forker,noise", "-d", "shop")
    assert time.monotonic() - started < 25
    assert done.code == 1
    found = stored(bench.folder / "results")
    assert "killed by SIGKILL" in found["forker", 0][0]["status"]["reason"]
    assert found["noise", 0][0]["status"]["kind"] == "done"
