"""Two Ray nodes, one of which dies in the middle: every cell once, with the ranks of ``local``.

Where the system lets us, each node has a network of its own, and a cable joins them.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import Future
from types import SimpleNamespace

import psutil
import pytest

from mmbench.cluster.on_ray import RayExecutor
from mmbench.grid.registry import UsageError

pytest.importorskip("ray")
ENVIRONMENT = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def networks():
    """``(name, address)`` of two networks that reach each other; empty where there can be none."""
    names = [f"mmbench-{os.getpid()}-{number}" for number in range(2)]
    ends = [f"mm{os.getpid() % 10_000}{letter}" for letter in "ab"]
    steps = [f"link add {ends[0]} type veth peer name {ends[1]}"]
    for number, (name, end) in enumerate(zip(names, ends, strict=True), start=1):
        steps += [f"netns add {name}", f"link set {end} netns {name}"]
        steps += [f"-n {name} addr add 10.213.77.{number}/24 dev {end}"]
        steps += [f"-n {name} link set {device} up" for device in ("lo", end)]
    able = shutil.which("ip") is not None and all(ip(*step.split()) for step in steps)
    yield [(name, f"10.213.77.{n}") for n, name in enumerate(names, start=1)] if able else []
    if shutil.which("ip") is not None:
        ip("link", "del", ends[0])
        for name in names:
            ip("netns", "del", name)


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, check=False).returncode == 0


@pytest.fixture
def cluster(bench, networks):
    """``cluster(cpus, cpus)``: the address, and the processes of each node.

    Commands of ``bench`` are then given on the first node.
    """
    bench.environment |= ENVIRONMENT
    nodes = []
    typed = bench.command

    def inside(number):
        return ["ip", "netns", "exec", networks[number][0]] if networks else []

    bench.command = lambda *words: [*inside(0), *typed(*words)]

    def start(*words):
        where = inside(len(nodes))
        if networks:
            words = (*words, f"--node-ip-address={networks[len(nodes)][1]}")
        node = subprocess.Popen(
            [*where, sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *words],
            env=bench.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        nodes.append(node)
        said = []
        for line in node.stdout:
            said.append(line)
            if "Ray runtime started" in line:
                return node
        raise AssertionError("".join(said))

    def make(*cpus):
        port, head = free_port(), networks[0][1] if networks else "127.0.0.1"
        start("--head", f"--port={port}", f"--num-cpus={cpus[0]}", "--include-dashboard=false")
        for number in cpus[1:]:
            start(f"--address={head}:{port}", f"--num-cpus={number}")
        return f"{head}:{port}", nodes

    yield make
    for node in nodes:
        if node.poll() is None:
            kill(node)


def kill(node):
    """A node with all that it started, as if its machine had lost its power."""
    try:
        family = [node_process := psutil.Process(node.pid)]
        family += node_process.children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    node.wait(20)
    node.stdout.close()


def wait_for_work(bench, out, node, seconds=120):
    """Until a cell is at work on a node."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pids = {one.pid for one in psutil.Process(node.pid).children(recursive=True)}
        for path in (bench.folder / out).glob(".work/*.lease-*"):
            if path.suffix.startswith(".lease") and any(f':{pid}"' in text(path) for pid in pids):
                return
        time.sleep(0.05)
    raise AssertionError("no cell came to work there")


def text(path):
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Ray's nodes are told to start by a shell")
def test_a_node_dies_in_the_middle_and_each_cell_is_done_once(bench, cluster, twelve, ranks):
    assert bench.run(*twelve("--out", "here", "--jobs", "2"), timeout=300).code == 0
    address, (_, node) = cluster(1, 1)
    far = bench.start(*twelve("--out", "far", "--executor", "ray", "--address", address))
    wait_for_work(bench, "far", node)
    kill(node)
    out, err = far.communicate(timeout=300)
    assert far.returncode == 0, out + err
    assert "lost giver" in out or "lost noise" in out
    assert out.count("\n") > 12 and "12/12" in out
    assert ranks("far") == ranks("here")
    again = bench.run(*twelve("--out", "far", "--executor", "ray", "--address", address))
    assert "0 of 12 cells to run" in again.out


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_an_interrupt_leaves_all_that_was_finished(bench, twelve, ranks):
    bench.environment |= ENVIRONMENT
    far = bench.start(*twelve("--out", "far", "--executor", "ray", "--jobs", "2"))
    folder = bench.folder / "far"
    end = time.monotonic() + 200
    while len(list(folder.glob("shop/*/*/*.json"))) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    far.send_signal(signal.SIGINT)
    out, err = far.communicate(timeout=100)
    assert far.returncode == 130, out + err
    assert "finished cells are stored" in out
    assert not list(folder.glob(".work/*.lease-*"))
    before = ranks("far")
    assert 2 <= len(before) < 12
    done = bench.run(*twelve("--out", "far", "--jobs", "2"), timeout=300)
    assert done.code == 0
    assert f"{12 - len(before)} of 12 cells to run" in done.out
    assert before.items() <= ranks("far").items()


def test_without_a_cluster_there_is_one_line(bench):
    bench.environment |= ENVIRONMENT
    done = bench.run(
        "run", "-m", "noise", "-d", "shop", "--executor", "ray", "--address", "nowhere:1"
    )
    assert done.code == 2
    assert done.err.startswith("error: --executor ray: no cluster at nowhere:1")


@pytest.mark.parametrize(
    ("asked", "wanted", "there", "fits"),
    [
        (None, [False, False], 0.0, True),
        (None, [False, True], 0.0, False),
        (None, [False, True], 1.0, True),
        (0.0, [True], 0.0, True),
        (0.25, [False], 0.5, True),
        (2.0, [False], 1.0, False),
    ],
)
def test_a_cluster_without_the_gpus_that_cells_want_is_refused(
    tmp_path, asked, wanted, there, fits
):
    executor = object.__new__(RayExecutor)
    executor.gpus = asked
    executor.connected = Future()
    executor.connected.set_result(None)
    executor.ray = SimpleNamespace(cluster_resources=lambda: {"GPU": there, "CPU": 4.0})
    cells = [SimpleNamespace(due=True, needs=SimpleNamespace(gpu=gpu)) for gpu in wanted]
    plan = SimpleNamespace(cells=cells, digest="d")
    if fits:
        executor.start(plan, tmp_path / "plan.json", tmp_path)
    else:
        with pytest.raises(UsageError, match="--gpus-per-cell 0"):
            executor.start(plan, tmp_path / "plan.json", tmp_path)
