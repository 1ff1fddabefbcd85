"""Weights of the Hugging Face hub: where a snapshot is on this machine, and how one gets here.

The cache is laid out as Hugging Face's own tools do it, and what these have downloaded is found.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmbench.toolkit.disk import WeightsError, demand_room

HUB = "hub"  # the folder in the cache
FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja")  # nothing to unpickle
COMMIT = re.compile(r"[0-9a-f]{40}")


def snapshots(name: str, revision: str, cache: Path) -> Iterator[Path]:
    """The whole folders that a name of the hub stands for here, each called by its commit: ours
    first, then Hugging Face's own.
    """
    for hub in (cache / HUB, _hugging_face()):
        home = hub / f"models--{name.replace('/', '--')}"
        commit = revision or "main"
        if not COMMIT.fullmatch(commit):
            ref = home / "refs" / commit
            commit = ref.read_text("utf-8").strip() if ref.is_file() else ""
        folder = home / "snapshots" / commit
        if COMMIT.fullmatch(commit) and _is_whole(folder):
            yield folder


def commit_of(name: str, revision: str, cache: Path) -> str:
    """The commit that is meant; empty for a branch that was not fetched yet."""
    if COMMIT.fullmatch(revision):
        return revision
    return next((folder.name for folder in snapshots(name, revision, cache)), "")


def _hugging_face() -> Path:
    """Where Hugging Face's own tools keep what they download."""
    own = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface"
    home = Path(os.environ.get("HF_HOME", own))
    return Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()


def _is_whole(folder: Path) -> bool:
    """Whether a snapshot has a config and all its weights; an interrupted download has not."""
    if not (folder / "config.json").is_file():
        return False
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        named = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        return all((folder / name).is_file() for name in named)
    return bool(list(folder.glob("*.safetensors")))


def say_absent(name: str, revision: str, cache: Path) -> str:
    """That weights are not here, and how to get them."""
    asked = [name, *(["--revision", revision] if revision else [])]
    return (
        f"no weights of {' '.join(asked)} in {cache / HUB}, nor in Hugging Face's own cache: on a "
        f"machine with network run `hf download {' '.join(asked)} --cache-dir {cache / HUB}`, or "
        "take the preset small or tiny"
    )


def download(name: str, revision: str, cache: Path) -> None:
    """Bring a snapshot into the cache; a branch's commit is noted there.

    Raises WeightsError: it cannot be had, its licence was not accepted, the disk is too full.
    """
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import GatedRepoError, RevisionNotFoundError
    except ImportError as error:
        raise WeightsError(
            "huggingface-hub, which downloads weights, is not installed: pip install 'mmbench[vlm]'"
        ) from error
    bring = functools.partial(
        snapshot_download,
        name,
        revision=revision or None,
        cache_dir=cache / HUB,
        allow_patterns=list(FILES),
        ignore_patterns=["*/*"],
    )
    try:
        files: Any = bring(dry_run=True)
        if not any(file.filename.endswith(".safetensors") for file in files):
            raise WeightsError(
                f"{name} holds no safetensors; weights that would have to be unpickled are "
                "not loaded"
            )
        size = sum(file.file_size for file in files if file.will_download)
        demand_room(cache / HUB, size, name)
        bring()
    except (OSError, ValueError) as error:
        causes = [error, error.__cause__]  # the look at what there is wraps what stopped it
        if any(isinstance(cause, GatedRepoError) for cause in causes):
            raise WeightsError(
                f"{name} is gated: its licence has to be accepted first. Sign in at "
                f"https://huggingface.co/{name} and accept it, make a token that may read it, and "
                "give that with `hf auth login` or in HF_TOKEN; then try again"
            ) from error
        if any(isinstance(cause, RevisionNotFoundError) for cause in causes):
            raise WeightsError(
                f"{name} has no revision {revision or 'main'!r} on the hub"
            ) from error
        cause = error.__cause__ or error
        reason = next(iter(str(cause).splitlines()), "")
        lack = say_absent(name, revision, cache)
        raise WeightsError(f"{lack} ({type(cause).__name__}: {reason})") from error
