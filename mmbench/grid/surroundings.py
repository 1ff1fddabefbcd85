"""The environment variables of a plugin's process."""

from __future__ import annotations

import os
import site
import tempfile
from pathlib import Path

from mmbench.grid.wall import HOME, TEMPORARY

STANDARD = {
    "OMP_WAIT_POLICY": "PASSIVE",  # spinning threads cost twenty times where cores are shared
    "PYTHONHASHSEED": "0",  # strings hash alike in every process
    "PYTHONUNBUFFERED": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
HOMES = {
    "HOME": "",
    "XDG_CACHE_HOME": ".cache",
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
    "HF_HOME": "huggingface",
    "TORCH_HOME": "torch",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TRITON_CACHE_DIR": "triton",
    "NUMBA_CACHE_DIR": "numba",
    "CUDA_CACHE_PATH": "cuda",
    "MPLCONFIGDIR": "matplotlib",
}
LONGEST = 64  # of TMPDIR; the path of a socket has room for 107 bytes, and Python adds 32


def environment_for(folder: Path, temporary: Path, *, network: bool) -> dict[str, str]:
    """What is added to this process's environment for a child.

    It finds its home and the caches of libraries in its own folder, so that what they leave goes
    with the cell. Weights that Hugging Face's tools downloaded before are found where they are, and
    so is, with network, the token to download with.

    Args:
        folder: the cell's.
        temporary: see ``shorten``.
        network: it may reach other machines.
    """
    home, hub = folder / HOME, _hugging_face()
    found = {name: os.environ.get(name, value) for name, value in STANDARD.items()}
    found |= {name: str(home / place) for name, place in HOMES.items()}
    found |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
    found["HF_HUB_CACHE"] = os.environ.get("HF_HUB_CACHE", str(hub / "hub"))
    if network:
        found["HF_TOKEN_PATH"] = os.environ.get("HF_TOKEN_PATH", str(hub / "token"))
    if site.ENABLE_USER_SITE:  # packages there are found by way of HOME
        found["PYTHONUSERBASE"] = site.getuserbase()
    return found


def shorten(folder: Path) -> Path:
    """A short path to the folder for temporary files, a link if need be, to remove afterwards.

    Python makes sockets there, whose paths must be short.
    """
    place = folder / TEMPORARY
    if len(os.fsencode(place)) <= LONGEST:
        return place
    link = Path(tempfile.mktemp(prefix="mmbench-"))
    link.symlink_to(place)
    return link


def _hugging_face() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))
    return Path(os.environ.get("HF_HOME", cache / "huggingface")).expanduser()
