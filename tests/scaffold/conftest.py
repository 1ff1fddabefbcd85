"""A scratch environment: a new venv that borrows this one's libraries and needs no network."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OFFLINE = "pip install --no-index --no-deps --no-build-isolation --quiet"


@dataclass
class Scratch:
    """An environment of its own, and a shell in it."""

    folder: Path
    environment: dict[str, str]

    def sh(self, commands: str, timeout: float = 300) -> str:
        """Run commands as they stand, but install without network; answers all that is printed."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", re.sub(r"pip install\b", OFFLINE, commands)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, f"{commands}\nended with {done.returncode}:\n{done.stdout}"
        return done.stdout


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """A scratch environment with mmbench built from this checkout, in an empty folder."""
    place = tmp_path / "venv"
    venv.create(place, symlinks=True)
    inside = sysconfig.get_path("purelib", vars={"base": str(place)})
    borrowed = sysconfig.get_path("purelib")
    Path(inside, "borrowed.pth").write_text(f"import site; site.addsitedir({borrowed!r})\n")
    own = {"PYTHONPATH", "PYTHONHOME", "MMBENCH_DATA", "PYTEST_ADDOPTS"}
    environment = {name: value for name, value in os.environ.items() if name not in own}
    environment |= {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PATH": os.pathsep.join([str(place / "bin"), os.environ["PATH"]]),
        "VIRTUAL_ENV": str(place),
        "MMBENCH_CACHE": str(tmp_path / "cache"),
        "XDG_DATA_HOME": str(tmp_path / "home"),
        "OMP_NUM_THREADS": "1",
        "NO_COLOR": "1",
        "COLUMNS": "120",
    }
    made = Scratch(tmp_path / "work", environment)
    made.folder.mkdir()
    made.sh(f"python -m pip install {ROOT}")
    assert made.sh("python -c 'import mmbench; print(mmbench.__file__)'").startswith(str(place))
    return made
