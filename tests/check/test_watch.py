"""The audit hook: what it notes and what it lets pass. In a process of its own, for it stays."""

import json
import subprocess
import sys
import textwrap

import pytest

from mmbench.grid.watch import Finding, read_findings

FRAME = """
import os, socket, sys, tempfile
from pathlib import Path
from mmbench.grid.watch import Watch
folder, outside = Path(sys.argv[1]), Path(sys.argv[2])
watch = Watch(folder)
watch.allow(reads=[folder / "pictures"], writes=[folder / "scratch"])
def do():
    {body}
with watch.during({phase!r}):
    try:
        do()
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.fixture
def watched(tmp_path):
    folder, outside = tmp_path / "cell", tmp_path / "outside"
    for place in (folder / "pictures", folder / "scratch", outside):
        place.mkdir(parents=True)
    (folder / "pictures" / "1.png").write_bytes(b"x")
    (outside / "secret.txt").write_text("x")

    def run(body, phase="fit"):
        code = FRAME.format(body=textwrap.indent(body, "    ").strip(), phase=phase)
        command = [sys.executable, "-c", code, str(folder), str(outside)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return read_findings(folder), done.stdout.strip(), outside

    return run


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("(outside / 'secret.txt').read_text()", "read"),
        ("os.chdir(outside); open('secret.txt').close()", "read"),
        ("os.close(os.open(outside / 'secret.txt', os.O_RDONLY))", "read"),
        ("(outside / 'secret.txt').write_text('y')", "write"),
        ("(outside / 'secret.txt').unlink()", "write"),
        ("os.unlink('secret.txt', dir_fd=os.open(outside, os.O_RDONLY))", "write"),
        ("os.truncate(outside / 'secret.txt', 0)", "write"),
        ("(folder / 'scratch' / 'a').symlink_to(outside / 'secret.txt')", "write"),
        (
            "import sqlite3; sqlite3.connect(outside / 'secret.txt').close()",
            "write",
        ),
        ("os.fork() or open(outside / 'secret.txt').close()", "read"),
    ],
)
def test_a_file_outside_is_noted_once(watched, body, what):
    findings, _, outside = watched(f"{body}")
    assert findings[0] == Finding("fit", what, str(outside / "secret.txt"))
    assert str(findings[0]) == f"{what} of {outside / 'secret.txt'} in fit"


def test_a_link_out_of_a_folder_of_its_own_is_followed(watched):
    body = "(folder / 'scratch' / 'a').read_text()"
    watched("(folder / 'scratch' / 'a').symlink_to(outside / 'secret.txt')", phase="")
    findings, _, outside = watched(body)
    assert findings == [Finding("fit", "read", str(outside / "secret.txt"))]


@pytest.mark.parametrize(
    "body",
    [
        "(folder / 'pictures' / '1.png').read_bytes()",
        "(folder / 'scratch' / 'deep').mkdir(); (folder / 'scratch' / 'deep' / 'a').write_text('')",
        "import shutil; (folder / 'scratch' / 'b').mkdir(); "
        "(folder / 'scratch' / 'b' / 'a').write_text(''); shutil.rmtree(folder / 'scratch' / 'b')",
        "import decimal, wave, xml.dom.minidom",
        "import PIL.Image; from importlib.metadata import version; version('numpy')",
        "open(os.devnull, 'w').close(); Path('/proc/self/status').read_text()",
        "Path('/nowhere/at/all').read_text()",
        "a, b = socket.socketpair(); a.close(); b.close()",
    ],
)
def test_what_a_model_may_open_passes(watched, body):
    findings, _, _ = watched(body)
    assert findings == []


def test_the_harness_s_own_code_is_not_looked_at(watched):
    assert watched("(outside / 'secret.txt').read_text()", phase="")[0] == []


@pytest.mark.parametrize(
    "body",
    [
        "socket.create_connection(('127.0.0.1', 9), 1)",
        "socket.socket().connect(('127.0.0.1', 9))",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
        "socket.getaddrinfo('localhost', 80)",
    ],
)
def test_the_network_is_closed_outside_fetch(watched, body):
    findings, said, _ = watched(body)
    assert said == "PermissionError"
    assert [finding.what for finding in findings] == ["network"]
    findings, said, _ = watched(body.replace("'127.0.0.1', 9", "'127.0.0.1', 9"), phase="fetch")
    assert said != "PermissionError"
    assert len(findings) == 1  # the one from before


def test_fetch_of_a_tiny_model_downloads_nothing(watched):
    body = "watch.offline = True; socket.socket().connect(('127.0.0.1', 9))"
    assert watched(body, phase="fetch")[1] == "PermissionError"


def test_findings_are_plain_lines(tmp_path):
    line = json.dumps({"phase": "fit", "what": "read", "address": "/a"}) + "\n"
    (tmp_path / "watched.jsonl").write_text(line + line)
    assert read_findings(tmp_path) == [Finding("fit", "read", "/a")]
    assert read_findings(tmp_path / "none") == []


def test_what_somebody_else_wrote_into_the_log_is_a_finding(tmp_path):
    lines = ['{"phase": "fit", "what": "read", "address": "/etc/x\\u001b"}', "no line", "[" * 9999]
    (tmp_path / "watched.jsonl").write_text("\n".join([*lines, '{"phase": 1}', "", "3"]))
    found = read_findings(tmp_path)
    assert found == [
        Finding("fit", "read", "/etc/x\ufffd"),
        Finding("some hook", "write", "watched.jsonl"),
    ]
