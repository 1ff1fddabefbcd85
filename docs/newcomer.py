"""A newcomer's way, timed: from ``git clone`` to a row of an own model on a board of own data.

``make newcomer`` takes every command from ``docs/tutorial.md``, its installation included, types
them in a new folder on an empty cache, and prints how many minutes each part of the page took, by
the clock and of the processors. It installs packages, which takes minutes, so no test does it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from follow import script

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tutorial.md"
BOARD = Path("comics-bench/boards/loo@2/comics.html")
ROW = "pairs:Pairs"
TYPED = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PART = re.compile(r"^## ", re.MULTILINE)


def parts(page: str) -> dict[str, str]:
    """``{heading: commands}`` of the page, as one shell runs them after each other.

    What stands in ``console`` is typed as well where it begins with ``$``, from this checkout.
    """
    found = {}
    for part in PART.split(page)[1:]:
        typed = [line[2:] for block in TYPED.findall(part) for line in block.splitlines()]
        commands = "\n".join(typed).replace("<the repository>", shlex.quote(str(ROOT)))
        found[part.splitlines()[0]] = f"{commands}\n{script(part)}"
    return found


def row(board: str) -> tuple[str, str]:
    """The figure with its interval and the group's letters of the model's row on an HTML board.

    Raises ValueError where the row has none.
    """
    found = re.search(rf"<tr><th>{re.escape(ROW)}.*?<td>([^<]* ± [^<]*)<td.*", board)
    letters = found and re.search(r"<td class=l>([a-z]+)<td", found[0])
    if not found or not letters:
        raise ValueError(f"{BOARD} has no row of {ROW} with an interval and a letter")
    return found[1], letters[1]


def processor(times: str) -> float:
    """Minutes of the processors, of what bash's ``times`` prints of a shell and its children."""
    told = re.findall(r"(\d+)m([\d.]+)s", times)
    return sum(int(minutes) + float(seconds) / 60 for minutes, seconds in told)


def main() -> int:
    """Go the way; the exit code of the first command that fails, or 0."""
    with tempfile.TemporaryDirectory(prefix="newcomer-") as empty:
        kept = {"PATH", "HOME", "LANG", "TMPDIR"}
        ours = {name for name in os.environ if name.startswith(("PIP_", "UV_", "SSL_", "OMP_"))}
        environment = {name: os.environ[name] for name in kept | ours if name in os.environ}
        environment |= {"NO_COLOR": "1", "MMBENCH_CACHE": f"{empty}/cache"}
        shell = subprocess.Popen(
            ["bash"], cwd=empty, env=environment, text=True, stdin=subprocess.PIPE
        )
        assert shell.stdin is not None
        worked = 0.0
        took, typed, done = {}, Path(empty) / ".typed", Path(empty) / ".done"
        for heading, commands in parts(PAGE.read_text("utf-8")).items():
            began = time.monotonic()
            typed.write_text(f"set -euo pipefail\n{commands}")
            shell.stdin.write(
                f". {typed} < /dev/null\ntimes > {done}.part\nmv {done}.part {done}\n"
            )
            shell.stdin.flush()
            while shell.poll() is None and not done.exists():
                time.sleep(0.2)
            if shell.poll() is not None:
                print(f"\n{heading}: a command failed", file=sys.stderr)
                return shell.returncode or 1
            worked, before = processor(done.read_text("utf-8")), worked
            done.unlink()
            took[heading] = ((time.monotonic() - began) / 60, worked - before)
        shell.stdin.close()
        shell.wait()
        interval, letters = row((Path(empty) / BOARD).read_text("utf-8"))
    print(f"\n{ROW} on {BOARD}: {interval}, group {letters}\n")
    whole = tuple(sum(minutes) for minutes in zip(*took.values(), strict=True))
    print("clock  processors, in minutes")
    for heading, (clock, processors) in [*took.items(), ("all", whole)]:
        print(f"{clock:5.1f}  {processors:10.1f}  {heading}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
