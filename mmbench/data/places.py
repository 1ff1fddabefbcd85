"""Where data is looked for and where it is kept."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_home() -> Path:
    """The folder of what can be made again: ``MMBENCH_CACHE`` or the platform's cache folder."""
    chosen = os.environ.get("MMBENCH_CACHE")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("mmbench")


def data_home() -> Path:
    """The folder that holds a user's datasets, one folder an id."""
    return platformdirs.user_data_path("mmbench") / "datasets"


def search_folders() -> list[Path]:
    """The folders of ``MMBENCH_DATA`` (separated as in ``PATH``), then the data home."""
    named = [part for part in os.environ.get("MMBENCH_DATA", "").split(os.pathsep) if part.strip()]
    return [*(Path(part).expanduser() for part in named), data_home()]
