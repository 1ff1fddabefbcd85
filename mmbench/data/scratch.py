"""Folders in which what is cached is made, before it is moved to its place whole."""

from __future__ import annotations

import os
import shutil
import socket
import uuid
from pathlib import Path

import psutil


def make_scratch(parent: Path) -> Path:
    """An empty folder below ``parent``, which is made if need be.

    What killed processes of this machine have left there is removed.
    """
    parent.mkdir(parents=True, exist_ok=True)
    host = socket.gethostname()
    for left in parent.glob(f".tmp-{host}-*"):
        owner = left.name.removeprefix(f".tmp-{host}-").split("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    scratch = parent / f".tmp-{host}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    scratch.mkdir()
    return scratch
