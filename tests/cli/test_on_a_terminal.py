"""The command line on a terminal: bars and colours there, plain lines elsewhere."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import time

import psutil

RUN_SLOWLY = ["run", "-m", "counts", "-d", "shop", "--set", "counts.sleep=0.4"]
ESCAPE = "\x1b"


def on_a_terminal(bench, *words, **environment):
    """What a command writes to a terminal of 120 columns, and its exit code."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    surroundings = {k: v for k, v in bench.environment.items() if k not in ("NO_COLOR", "COLUMNS")}
    process = subprocess.Popen(
        bench.command(*words),
        cwd=bench.folder,
        env=surroundings | {"TERM": "xterm-256color"} | environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            block = os.read(ours, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not block:
            break
        shown += block
    os.close(ours)
    return process.wait(), shown.decode()


def test_a_terminal_sees_bars_and_a_pipe_does_not(bench):
    code, shown = on_a_terminal(bench, *RUN_SLOWLY)
    assert code == 0
    assert ESCAPE in shown
    assert "epochs/s" in shown
    assert "1/2" in shown
    plain = bench.run(*RUN_SLOWLY, "--overwrite", "always")
    assert ESCAPE not in plain.out + plain.err
    assert "epochs/s" not in plain.out


def test_no_color_means_no_color(bench):
    code, shown = on_a_terminal(bench, "ls", "models", NO_COLOR="1")
    assert code == 0
    assert "\x1b[3" not in shown
    assert ESCAPE not in bench.run("ls", "models").out


def test_a_model_that_does_not_know_its_total_keeps_its_bar(bench):
    bench.add(
        "endless",
        "import time, shelf\nfrom mmbench import hookimpl\n"
        "class Model(shelf.Noise):\n"
        "    @hookimpl\n"
        "    def fit(self, train, run):\n"
        "        super().fit(train, run)\n"
        "        for done in (1, 2, float('nan')):\n"
        "            run.progress(done, float('inf'), 'songs [of 9]')\n"
        "            time.sleep(0.3)\n",
        endless="Model",
    )
    code, shown = on_a_terminal(bench, "run", "-m", "endless", "-d", "shop")
    assert code == 0, shown
    assert "songs [of 9]" in shown
    assert "Traceback" not in shown


def test_a_grid_whose_terminal_is_closed_ends_in_order(bench):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        bench.command("run", "-m", "noise,counts", "-d", "shop", "--set", "counts.sleep=9"),
        cwd=bench.folder,
        env=bench.environment | {"TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=take_terminal,
    )
    bench.started.append(process)
    os.close(theirs)
    shown = b""
    while b"counts[sleep=9] on shop" not in shown:  # its bar
        shown += os.read(ours, 65536)
    while not (children := psutil.Process(process.pid).children(recursive=True)):
        time.sleep(0.02)
    os.close(ours)
    assert process.wait(timeout=20) == 130
    assert not any(child.is_running() for child in children)
    assert len(list(bench.folder.glob("results/shop/*/noise/*.json"))) == 1
    assert not list(bench.folder.glob("results/.work/*"))


def take_terminal():
    """Become the session that is told when the terminal on stdin is closed."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
