"""Watch what a plugin opens: files outside its folders, and the network outside ``fetch``.

An audit hook (PEP 578) in the child, installed when the conformance checks ask for it. It sees what
Python opens. What native code or another program opens passes unseen: this catches accidents, it
is no prison.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import json
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmbench.problems import legible

SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc", "/proc", "/sys", "/dev")
DEVICES = ("/dev",)  # the null device, shared memory, GPUs
LOG = "watched.jsonl"
LONGEST = 2**20  # characters of it that are read
NETWORK = {
    "socket.connect",
    "socket.bind",
    "socket.sendto",
    "socket.sendmsg",
    "socket.getaddrinfo",
    "socket.gethostbyname",
}
CHANGES: dict[str, dict[int, int | None]] = {
    # the arguments that are paths, each with that of the open folder it is relative to
    "os.remove": {0: 1},
    "os.rename": {0: 2, 1: 3},
    "os.mkdir": {0: 2},
    "os.rmdir": {0: 1},
    "os.link": {0: 2, 1: 3},
    "os.symlink": {0: None, 1: 2},
    "os.truncate": {0: None},
    "sqlite3.connect": {0: None},
}
CODE = (*importlib.machinery.all_suffixes(), ".pth")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a plugin opened and should not have.

    Attributes:
        phase: the hook it was in, or ``import``.
        what: ``read``, ``write`` or ``network``.
        address: a path, or where a socket leads.
    """

    phase: str
    what: str
    address: str

    def __str__(self) -> str:
        return f"{self.what} of {self.address} in {self.phase}"


def read_findings(folder: Path) -> list[Finding]:
    """What was found in the process that worked on a scratch folder, each thing once.

    A plugin can write into the file; what is no finding there is one, of that.
    """
    try:
        with open(folder / LOG, encoding="utf-8", errors="replace") as file:
            lines = file.read(LONGEST).splitlines()
    except FileNotFoundError:
        return []
    return list(dict.fromkeys(map(_read_finding, lines)))


def _read_finding(line: str) -> Finding:
    try:
        phase, what, address = (str(json.loads(line)[name]) for name in Finding.__slots__)
    except (ValueError, TypeError, KeyError, RecursionError):
        phase, what, address = "some hook", "write", LOG
    return Finding(*(legible(text, 1000) for text in (phase, what, address)))


class Watch:
    """The audit hook's state. Between phases, harness code runs and nothing is looked at."""

    def __init__(self, folder: Path) -> None:
        self.phase = ""
        self.offline = False
        self.reads = [*SYSTEM, *_python_homes()]
        self.writes = list(DEVICES)
        self.noted: set[Finding] = set()
        # a descriptor, so that forked workers report to the same place
        self.log = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        sys.addaudithook(self.hear)

    def allow(self, *, reads: Iterable[Path] = (), writes: Iterable[Path] = ()) -> None:
        """Add folders that may be read, and folders that may be written and read."""
        self.reads += [os.path.realpath(path) for path in reads]
        self.writes += [os.path.realpath(path) for path in writes]

    @contextlib.contextmanager
    def during(self, phase: str) -> Iterator[None]:
        """Plugin code runs inside; ``""`` for the harness's own code in the middle of a hook."""
        before, self.phase = self.phase, phase
        try:
            yield
        finally:
            self.phase = before

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The audit hook. Raises PermissionError where the network is closed."""
        if not self.phase:
            return
        if event == "open":
            self._hear_open(*arguments)
        elif event in CHANGES:
            for path, folder in CHANGES[event].items():
                self._file("write", _under(arguments[path], folder and arguments[folder]))
        elif event in NETWORK:
            self._hear_network(event, arguments)

    def _hear_open(self, path: Any, mode: Any, flags: Any) -> None:
        changing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        writes = bool(flags & changing) if isinstance(flags, int) else "r" not in str(mode)
        self._file("write" if writes else "read", path)

    def _hear_network(self, event: str, arguments: tuple[Any, ...]) -> None:
        address = arguments[0] if event.startswith("socket.get") else arguments[1]
        if isinstance(address, str | bytes) and not event.startswith("socket.get"):
            return  # a socket of this machine's own, as between processes
        if self.phase == "fetch" and not self.offline:
            return
        self._note("network", str(address))
        rule = "a tiny preset downloads nothing" if self.phase == "fetch" else "only fetch may"
        raise PermissionError(f"no network in {self.phase} ({address}): {rule}")

    def _file(self, what: str, path: Any) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return  # an open descriptor
        found = os.path.realpath(os.fsdecode(path))
        if _inside(found, self.writes) or "__pycache__" in found:
            return
        if what == "read" and (
            _inside(found, self.reads) or not os.path.isfile(found) or _is_code(found)
        ):
            return
        self._note(what, found)

    def _note(self, what: str, address: str) -> None:
        finding = Finding(self.phase, what, address)
        if finding not in self.noted:
            self.noted.add(finding)
            os.write(self.log, json.dumps(asdict(finding)).encode() + b"\n")


def _under(path: Any, folder: int | None) -> Any:
    """A path that may be relative to an open folder, as ``shutil.rmtree`` has them."""
    if folder is None or folder < 0 or not isinstance(path, str | bytes | os.PathLike):
        return path
    try:
        home = os.readlink(f"/proc/self/fd/{folder}")
    except OSError:  # no such file system here, so no such call either
        return path
    return os.path.join(home, os.fsdecode(path))


def _python_homes() -> list[str]:
    homes = {sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values()}
    homes |= {site.getusersitepackages(), *site.getsitepackages()}
    return [os.path.realpath(home) for home in homes]


def _inside(path: str, roots: Iterable[str]) -> bool:
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)


def _is_code(path: str) -> bool:
    """Code on the search path, package metadata, and data files of imported packages."""
    parts = path.split(os.sep)
    if any(part.endswith((".dist-info", ".egg-info")) for part in parts):
        return True
    if path.endswith(CODE):
        return _inside(path, [os.path.realpath(entry) for entry in sys.path])
    packages = [
        vars(module) for module in list(sys.modules.values()) if hasattr(module, "__dict__")
    ]
    homes = [
        os.path.realpath(home)
        for names in packages
        if names.get("__file__") and isinstance(names.get("__path__"), list)
        for home in names["__path__"]
    ]
    return _inside(path, homes)
