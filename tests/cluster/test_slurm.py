"""Slurm, played by three scripts: arrays of ``mmbench cell``, pre-emption, kills, cancellation."""

import os
import re
import signal
import sys
import time

import pytest

from mmbench.cluster.on_slurm import read_options, script
from mmbench.cluster.plan_file import read_plan
from mmbench.grid.registry import UsageError

# a runner for each array: two tasks at a time, a file for each that is not at its end
SBATCH = """#!{python}
import json, os, re, subprocess, sys, time
from pathlib import Path
home = Path({home!r})
if len(sys.argv) < 3:
    text = sys.stdin.read()
    job = str(len(list(home.glob("job-*"))) + 100)
    (home / f"job-{{job}}").write_text(text)
    told = dict(line[10:].partition("=")[::2] for line in text.splitlines() if "#SBATCH " in line)
    first, last = map(int, told["array"].split("-"))
    for number in range(first, last + 1):
        (home / f"task-{{job}}_{{number}}").write_text("")
    subprocess.Popen([sys.executable, __file__, job, told["output"]], start_new_session=True,
                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(job)
    sys.exit()
job, output = sys.argv[1:]
waiting = sorted(home.glob(f"task-{{job}}_*"), key=lambda path: int(path.name.split("_")[1]))
running = {{}}
while waiting or running:
    for task in [task for task, process in running.items() if process.poll() is not None]:
        running.pop(task)
        task.unlink(missing_ok=True)
    while waiting and len(running) < 2:
        task = waiting.pop(0)
        if not task.exists():
            continue
        number = task.name.split("_")[1]
        log = open(output.replace("%A", job).replace("%a", number), "a")
        process = subprocess.Popen(["sh", home / f"job-{{job}}"], stdout=log, stderr=log,
                                   env={{**os.environ, "SLURM_ARRAY_TASK_ID": number}})
        task.write_text(str(process.pid))
        running[task] = process
    time.sleep(0.05)
"""
SQUEUE = """#!{python}
from pathlib import Path
print("\\n".join(path.name[5:] for path in Path({home!r}).glob("task-*")))
"""
SCANCEL = """#!{python}
import os, signal, sys
from pathlib import Path
for job in sys.argv[1:]:
    for path in Path({home!r}).glob(f"task-{{job}}_*"):
        pid = path.read_text()
        if pid:
            os.kill(int(pid), signal.SIGTERM)
        else:
            path.unlink()
"""
QUICK = (
    "from mmbench.cluster import on_slurm; on_slurm.EVERY = 0.3; "
    "from mmbench.cli import main; main()"
)


@pytest.fixture
def slurm(bench, tmp_path):
    """The folder of the tasks of a Slurm on the search path of commands."""
    if os.name == "nt":
        pytest.skip("Slurm is not for Windows")
    home, tools = tmp_path / "slurm", tmp_path / "tools"
    home.mkdir()
    tools.mkdir()
    for name, text in {"sbatch": SBATCH, "squeue": SQUEUE, "scancel": SCANCEL}.items():
        (tools / name).write_text(text.format(python=sys.executable, home=str(home)))
        (tools / name).chmod(0o755)
    bench.environment["PATH"] = f"{tools}{os.pathsep}{bench.environment['PATH']}"
    bench.command = lambda *words: [sys.executable, "-c", QUICK, *words]
    return home


def pid_of_a_running_task(home, known=(), seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for path in home.glob("task-*"):
            try:
                pid = path.read_text()
            except FileNotFoundError:
                continue
            if pid and int(pid) not in known:
                return int(pid)
        time.sleep(0.05)
    raise AssertionError("no task runs")


def wait_until_at_work(bench, pid, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for path in (bench.folder / "far").glob(".work/*.lease-1"):
            if f':{pid}"' in path.read_text():
                return
        time.sleep(0.05)
    raise AssertionError("it does not come to work")


@pytest.mark.slow
def test_pre_emption_and_a_kill_and_each_cell_is_done_once(bench, slurm, twelve, ranks):
    assert bench.run(*twelve("--out", "here", "--jobs", "2"), timeout=300).code == 0
    options = ["--executor", "slurm", "--slurm", "partition=gpu,time=2:00:00"]
    far = bench.start(*twelve("--out", "far", *options))
    first = pid_of_a_running_task(slurm)
    wait_until_at_work(bench, first)
    os.kill(first, signal.SIGUSR1)
    second = pid_of_a_running_task(slurm, {first})
    wait_until_at_work(bench, second)
    os.kill(second, signal.SIGKILL)
    out, err = far.communicate(timeout=400)
    assert far.returncode == 0, out + err
    assert "given back: the scheduler wants the machine" in out
    assert out.count("again in 5 s") == 2
    assert ranks("far") == ranks("here")
    text = next(slurm.glob("job-*")).read_text()
    assert "#SBATCH --partition=gpu\n#SBATCH --time=2:00:00\n" in text
    assert "pickle" not in text


@pytest.mark.slow
def test_an_interrupt_cancels_the_array(bench, slurm, twelve):
    far = bench.start(*twelve("--out", "far", "--executor", "slurm"))
    wait_until_at_work(bench, pid_of_a_running_task(slurm))
    far.send_signal(signal.SIGINT)
    out, err = far.communicate(timeout=60)
    assert far.returncode == 130, out + err
    end = time.monotonic() + 30
    while list(slurm.glob("task-*")) and time.monotonic() < end:
        time.sleep(0.1)
    assert list(slurm.glob("task-*")) == []


@pytest.mark.slow
def test_under_submitit_s_own_executor_each_cell_is_done_once(bench, twelve, ranks, monkeypatch):
    """For who drives ``mmbench cell`` by other tools: here with one killed in the middle."""
    submitit = pytest.importorskip("submitit")
    if os.name == "nt":
        pytest.skip("submitit's local executor wants Unix")
    assert bench.run(*twelve("--out", "here", "--jobs", "2"), timeout=300).code == 0
    assert bench.run(*twelve("--out", "far", "--write-plan", "plan.json")).code == 0
    plan = read_plan(bench.folder / "plan.json")
    executor = submitit.LocalExecutor(bench.folder / "logs")
    executor.update_parameters(timeout_min=10)

    def submit(entry):
        words = bench.command("cell", entry.key, "--plan", "plan.json", "--out", "far")
        command = submitit.helpers.CommandFunction(
            words, cwd=bench.folder, env=bench.environment, verbose=False
        )
        return executor.submit(command)

    for cells in ([c for c in plan.cells if not c.upstream], [c for c in plan.cells if c.upstream]):
        jobs = [submit(cell) for cell in cells]
        if not cells[0].upstream:
            lease = bench.folder / "far" / ".work" / f"{cells[0].key}.lease-1"
            end = time.monotonic() + 120
            while not lease.exists() and time.monotonic() < end:
                time.sleep(0.02)
            time.sleep(0.1)
            pid = re.search(r":(\d+)\"", lease.read_text())[1]
            os.kill(int(pid), signal.SIGKILL)
        for job in jobs:
            job.exception()
    assert submit(plan.cells[0]).exception() is None
    left = [
        cell for cell in plan.cells if not list(bench.folder.glob(f"far/*/*/*/{cell.key}.json"))
    ]
    for cell in left:  # what started from the killed one
        assert submit(cell).exception() is None
    assert ranks("far") == ranks("here")


def test_the_script_runs_one_key_a_task(tmp_path):
    text = script(["a" * 12, "b" * 12], tmp_path / "p 1.json", tmp_path, tmp_path, {"mem": "5M"})
    assert "#SBATCH --array=0-1\n" in text
    assert "#SBATCH --requeue\n" in text
    assert "#SBATCH --signal=B:USR1@60\n" in text
    assert "#SBATCH --mem=5M\n" in text
    assert f"--plan '{tmp_path}/p 1.json'" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("array=0-3", "mmbench says array itself"),
        ("p=gpu", "in long"),
        ("a b=1", "write key=value"),
    ],
)
def test_options_that_cannot_be(text, said):
    with pytest.raises(UsageError, match=said):
        read_options(text)


def test_options_are_those_of_sbatch():
    assert read_options("partition=gpu,time=2:00:00,exclusive") == {
        "partition": "gpu",
        "time": "2:00:00",
        "exclusive": "",
    }


def test_without_slurm_there_is_one_line(bench):
    bench.environment["PATH"] = str(bench.folder)
    done = bench.run("run", "-m", "noise", "-d", "shop", "--executor", "slurm")
    assert done.code == 2
    assert "there is no sbatch here" in done.err
