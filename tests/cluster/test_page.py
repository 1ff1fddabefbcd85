"""The page on clusters: what it says to type does what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "cluster.md"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="its commands are for a Unix shell")
def test_its_commands(bench, tmp_path):
    for plugin in ("mmbench_recbole", "mmbench_content"):
        pytest.importorskip(plugin)
    tools = tmp_path / "tools"
    tools.mkdir()
    code = "from mmbench.cli import main; main()"
    (tools / "mmbench").write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
    (tools / "mmbench").chmod(0o755)
    typed = "\n".join(re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.M | re.S))
    environment = {**bench.environment, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail"],
        input=typed,
        cwd=bench.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {record["label"] for record in bench.stored()} == {"pop", "markov", "itemknn"}
    assert ": 3 done\n" in done.stdout
    assert (bench.folder / "status.json").is_file()
