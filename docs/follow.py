"""Do what a page says: write its files and type its commands.

``python docs/follow.py docs/tutorial.md`` follows the page in a new folder, one shell from the
first command to the last, and stops where one fails. A block ``sh`` is typed; a block with a
``:caption:`` is the file of that name; ``console`` and all others are for reading.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"^```(.+?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CAPTION = re.compile(r"\A:caption: (\S+)\n\n")


def script(page: str) -> str:
    """The page as a shell script: what it says to do, in its order."""
    lines = ["set -euo pipefail", "home=$PWD"]
    for number, (info, body) in enumerate(BLOCK.findall(page)):
        caption = CAPTION.match(body)
        if caption:
            path, end = shlex.quote(caption[1]), f"END-OF-FILE-{number}"
            lines += [f"mkdir -p $(dirname {path})", f"cat > {path} <<'{end}'"]
            lines += [body[caption.end() :].rstrip("\n"), end]
        elif info == "sh":
            for command in re.sub(r"\\\n\s*", "", body).splitlines():
                if command and not command.startswith("#"):
                    lines += [f"echo '$ '{shlex.quote(command)}", command]
    return "\n".join(lines) + "\n"


def follow(path: Path, folder: Path) -> int:
    """Follow a page in a folder; the exit code of the first command that fails, or 0."""
    text = script(path.read_text(encoding="utf-8"))
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"NO_COLOR": "1", **os.environ, "PATH": here}
    done = subprocess.run(["bash"], input=text, text=True, cwd=folder, env=environment, check=False)
    return done.returncode


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as empty:
        sys.exit(max(follow(Path(page).resolve(), Path(empty)) for page in sys.argv[1:]))
