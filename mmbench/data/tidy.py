"""What the cache holds, how old and how large it is, and what nothing needs any more."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from mmbench.data.fetch.recipe import PARTS
from mmbench.files import folder_size, remove_tree

LEFT = re.compile(r"\.tmp-|\.part$|\.part\.json$|\.lock$")
HOUR = 3600.0  # seconds after which what was being written is what a killed process left
LOOKED_AT = ("meta.json", "names.json")  # read here to judge, which is no use of a log
KINDS = {
    "prepared": "logs, made again from their datasets",
    "pictures": "pictures as models are shown them",
    "drawn": "drawn cards",
    "downloads": "what datasets were made of",
    "datasets": "what packages fetched for their datasets",
    "encodings": "what models kept of items",
    "models": "pretrained weights",
    "digests": "digests of files, remembered",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A piece of the cache that goes as one.

    Attributes:
        kind: the folder of the cache that it is in.
        name: its name there.
        path: where it is.
        size: bytes.
        used: when it was last written or read, in seconds since 1970, as far as the disk tells.
        idle: why nothing needs it, or an empty text.
    """

    kind: str
    name: str
    path: Path
    size: int
    used: float
    idle: str = ""


def entries(home: Path) -> list[Entry]:
    """Everything in a cache, largest first."""
    found = [entry for kind in KINDS for entry in _listed(home / kind, kind)]
    judged = [replace(entry, idle=_idle(entry, found)) for entry in found]
    return sorted(judged, key=lambda entry: (-entry.size, entry.kind, entry.name))


def choose(
    found: list[Entry],
    *,
    kinds: tuple[str, ...] = (),
    older: float | None = None,
    larger: int | None = None,
    now: float | None = None,
) -> list[Entry]:
    """What a cleaning takes: all that fits what is given, or what is idle where nothing is.

    Args:
        found: as ``entries`` returns.
        kinds: only these.
        older: only what was not used for so many seconds.
        larger: only what has more bytes.
        now: seconds since 1970.
    """
    if not kinds and older is None and larger is None:
        return [entry for entry in found if entry.idle]
    moment = time.time() if now is None else now
    return [
        entry
        for entry in found
        if (not kinds or entry.kind in kinds)
        and (older is None or moment - entry.used > older)
        and (larger is None or entry.size > larger)
    ]


def remove(entry: Entry) -> None:
    """Remove a piece of the cache."""
    if entry.path.is_dir():
        remove_tree(entry.path)
    else:
        entry.path.unlink(missing_ok=True)


def _listed(folder: Path, kind: str) -> Iterator[Entry]:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        used = _used(path)
        size = folder_size(path) if path.is_dir() else path.stat().st_size
        yield Entry(kind, path.name, path, size, used)


def _used(path: Path) -> float:
    """When a file, or the last one in a folder, was written or read; listing a folder is no use."""
    files = [one for one in (path, *path.rglob("*")) if one.is_file() and one.name not in LOOKED_AT]
    times = [max(one.stat().st_mtime, one.stat().st_atime) for one in files]
    return max(times, default=path.stat().st_mtime)


def _idle(entry: Entry, found: list[Entry]) -> str:
    """Why nothing needs an entry."""
    if LEFT.search(entry.name):
        return "left by a process that ended" if time.time() - entry.used > HOUR else ""
    judge: dict[str, Callable[[Entry, list[Entry]], str]] = {
        "prepared": _idle_log,
        "pictures": _idle_pictures,
        "downloads": _idle_download,
    }
    return judge[entry.kind](entry, found) if entry.kind in judge else ""


def _idle_log(entry: Entry, found: list[Entry]) -> str:
    """A log is idle where the same dataset was prepared anew later, with pictures from there."""
    mine = _told(entry)
    if mine is None:
        return "damaged"
    later = [
        one
        for one in found
        if one.kind == "prepared" and one.used > entry.used and _told(one) == mine
    ]
    return "prepared anew since" if later else ""


def _told(entry: Entry) -> tuple[str, str] | None:
    """The id of a prepared log, and where its pictures are from."""
    try:
        meta = json.loads((entry.path / "meta.json").read_text("utf-8"))
        return str(meta["id"]), str(meta["images_root"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _idle_pictures(entry: Entry, found: list[Entry]) -> str:
    """A file of pictures is idle where no prepared log, nor a join of some, is shown it."""
    from mmbench.data.pictures import file_name

    named = set()
    for one in found:
        if one.kind == "prepared":
            try:
                digests = json.loads((one.path / "names.json").read_text("utf-8"))["pictures"]
            except (OSError, ValueError, KeyError):
                continue
            named.add(file_name(digests) if digests else "")
    return "" if entry.name in named else "no prepared log is shown it"


def _idle_download(entry: Entry, found: list[Entry]) -> str:
    """A download is idle where all that is made of it is there."""
    from mmbench.data.fetch.bring import lacking

    lack = lacking(entry.name, PARTS)
    return "its dataset is made" if lack is not None and not lack.outputs else ""
