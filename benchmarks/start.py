"""How long the command line takes to start, beside the library that it is built with.

    python benchmarks/start.py

Processor seconds of a process, the least of several: ``python -c pass``, the same with ``import
typer``, and ``mmbench --help``.
"""

from __future__ import annotations

import resource
import subprocess
import sys

REPEATS = 15
HELP = "from mmbench.cli import main; main()"


def seconds(words: list[str]) -> float:
    """The least processor seconds of a command."""
    found = []
    for _ in range(REPEATS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(words, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def main() -> None:
    python = [sys.executable, "-c"]
    rows = {
        "python": [*python, "pass"],
        "import typer": [*python, "import typer, typer.completion"],
        "mmbench --help": [*python, HELP, "--help"],
    }
    taken = {name: seconds(words) for name, words in rows.items()}
    print("| | processor seconds | times typer |\n|:--|--:|--:|")
    for name, value in taken.items():
        print(f"| {name} | {value:.2f} | {value / taken['import typer']:.2f} |")


if __name__ == "__main__":
    main()
