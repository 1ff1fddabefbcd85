"""Leases: who has a cell, told by files that any machine on a folder of results can read.

``.work/<cell>.lease-<n>`` is the n-th attempt at a cell. It is created exclusively, so that of two
workers who want one attempt exactly one gets it, and its worker renews its time of change as a sign
of life. An attempt whose last sign is too old is lost, and the next number may be taken. Ages are
told by the clock of the file system, which two machines share when their own clocks differ, and a
file is opened by its exact path: a network disk shows new names in a listing, and the lack of old
ones, late.

A lease saves work, it does not decide what is stored: see ``mmbench.results.publish``.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import json
import os
import platform
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from pydantic import ValidationError

from mmbench.results.cell import Part

LASTS = 60.0  # seconds without a sign of life after which a worker is taken for lost
BEATS = 6  # signs of life in that time
PAUSES = (
    5.0,
    30.0,
    120.0,
)  # seconds before a cell that was lost once, twice, three times runs again


class Lease(Part):
    """An attempt at a cell.

    Attributes:
        cell, attempt: whose, and the how-manieth.
        token: eight hex digits, of this attempt alone.
        worker: host and process, for people.
        machine: tells whether it is this one, and was not started anew since.
        lasts: seconds without a sign of life after which it is lost.
        started: ISO 8601, by the worker's own clock.
        label: what the cell is called.
        released: why it was given back before the cell came to an end; else empty.
    """

    cell: str
    attempt: int
    token: str = ""
    worker: str = "somebody"
    machine: str = ""
    lasts: float = LASTS
    started: str = ""
    label: str = ""
    released: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A lease as it was found; ``age`` are the seconds since its last sign of life."""

    lease: Lease
    age: float

    def left(self, *, dead: bool, limited: bool) -> float:
        """Seconds until the next attempt may begin, none or fewer where it may now.

        ``dead``: it is known that its worker is no more. ``limited``: attempts are counted, and so
        there is a pause between them.
        """
        pause = PAUSES[min(self.lease.attempt, len(PAUSES)) - 1] if limited else 0.0
        over = dead or bool(self.lease.released)
        return pause + (0.0 if over else self.lease.lasts) - self.age

    def dead(self, sure: bool) -> bool:
        """Whether its worker is known to be no more; ``sure``: we hold this machine's lock."""
        return sure and self.lease.machine == this_machine()

    def over(self, sure: bool) -> bool:
        """Whether nothing of it can be at work any more; ``sure`` as ``dead`` has it."""
        return bool(self.lease.released) or self.dead(sure)

    def said(self) -> str:
        """Who it was, and how it ended, for people."""
        lease = self.lease
        how = lease.released or "gave no sign of life any more"
        return f"{lease.worker} ({lease.started or 'time unknown'}) {how}"


@functools.cache
def this_machine() -> str:
    """A name that no other machine has, nor this one after its next start."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = str(int(psutil.boot_time()))
    return f"{platform.node()} {boot}"


def this_worker() -> str:
    """Host and process."""
    return f"{platform.node() or 'here'}:{os.getpid()}"


def lease_path(work: Path, cell: str, attempt: int) -> Path:
    """Where an attempt's lease is."""
    return work / f"{cell}.lease-{attempt}"


def find_leases(work: Path, cell: str, now: float | None = None) -> list[Standing]:
    """All attempts at a cell that have not come to an end, the first one first.

    ``now`` is ``disk_time``, where it was asked for a moment ago: the answer costs a file.
    """
    found: list[tuple[Lease, float]] = []
    while (read := _read(work, cell, len(found) + 1)) is not None:
        found.append(read)
    if not found:
        return []
    time = disk_time(work) if now is None else now
    return [Standing(lease, time - seen) for lease, seen in found]


def take_lease(
    work: Path, cell: str, *, attempt: int, lasts: float = LASTS, label: str = ""
) -> Lease | None:
    """Take an attempt, or None where another worker was first. Raises OSError."""
    lease = Lease(
        cell=cell,
        attempt=attempt,
        token=uuid.uuid4().hex[:8],
        worker=this_worker(),
        machine=this_machine(),
        lasts=lasts,
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        label=label,
    )
    path = lease_path(work, cell, attempt)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return None
    try:
        os.write(handle, lease.model_dump_json().encode())
        os.fsync(handle)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    return lease


def excludes(folder: Path) -> bool:
    """Whether a folder's disk refuses to create what is there, which leases rest on."""
    probe, flags = folder / f".probe.{uuid.uuid4().hex[:8]}", os.O_WRONLY | os.O_CREAT | os.O_EXCL
    os.close(os.open(probe, flags, 0o644))
    try:
        os.close(os.open(probe, flags, 0o644))
    except FileExistsError:
        return True
    finally:
        probe.unlink(missing_ok=True)
    return False


def stands(work: Path, lease: Lease) -> bool:
    """Whether an attempt still counts: later ones know of it, and wait for or stop it."""
    read = _read(work, lease.cell, lease.attempt)
    return read is not None and read[0].token == lease.token


def give_back(work: Path, lease: Lease, why: str) -> None:
    """Let the next attempt begin without waiting for signs of life; this one counts."""
    told = lease.model_copy(update={"released": why})
    path = lease_path(work, lease.cell, lease.attempt)
    if stands(work, lease):
        beside = work / f"{lease.cell}.{lease.token}.beside"
        beside.write_text(told.model_dump_json())
        os.replace(beside, path)


def forget(work: Path, lease: Lease) -> None:
    """Remove an attempt and those before it: the cell came to an end, or nobody asks for it.

    Where a later attempt has begun, it needs them to be counted, and removes them itself. The
    earliest goes last: who looks meanwhile counts from there.
    """
    later = _read(work, lease.cell, lease.attempt + 1)
    if later is not None or not stands(work, lease):
        return
    for attempt in range(lease.attempt, 0, -1):
        path = lease_path(work, lease.cell, attempt)
        path.unlink(missing_ok=True)
        progress_path(path).unlink(missing_ok=True)


def disk_time(work: Path) -> float:
    """The time by the file system's clock. Raises OSError."""
    probe = work / f".clock.{os.getpid()}.{threading.get_ident()}"
    handle = os.open(probe, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.utime(probe)
        return os.fstat(handle).st_mtime
    finally:
        os.close(handle)
        with contextlib.suppress(FileNotFoundError):
            probe.unlink()


def progress_path(lease: Path) -> Path:
    """Where a running cell tells how far it is."""
    return lease.with_name(f"{lease.name}.progress")


def read_progress(work: Path, lease: Lease) -> dict[str, Any]:
    """How far a running cell is: ``done``, ``total`` and ``unit``; empty where that is not told."""
    path = progress_path(lease_path(work, lease.cell, lease.attempt))
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) and {"done", "total", "unit"} <= told.keys() else {}


@dataclass(slots=True)
class Pulse:
    """Renews a lease and tells how far its cell is, in a thread, until it is over."""

    work: Path
    lease: Lease
    told: Mapping[str, Any] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def beating(self) -> Iterator[None]:
        """It beats meanwhile."""
        thread = threading.Thread(target=self._beat, daemon=True, name="lease")
        thread.start()
        try:
            yield
        finally:
            self.over.set()
            thread.join()

    def tell(self, event: Mapping[str, Any]) -> None:
        """An event of the running cell; what is no progress is not told."""
        if event["event"] == "progress":
            self.told = event

    def _beat(self) -> None:
        path = lease_path(self.work, self.lease.cell, self.lease.attempt)
        said = self.told
        every, waited = self.lease.lasts / BEATS, 0.0
        step = min(1.0, every)
        while not self.over.wait(step):
            waited += step
            # a disk that does not answer now may do so at the next beat
            with contextlib.suppress(OSError):
                if waited >= every:
                    waited = 0.0
                    self._renew(path)
                if self.told is not said:
                    said = self.told
                    beside = self.work / f"{self.lease.cell}.{self.lease.token}.beside"
                    beside.write_text(json.dumps(dict(said)))
                    os.replace(beside, progress_path(path))

    def _renew(self, path: Path) -> None:
        """Renew the lease if it is still ours: another's is not to look alive by us."""
        handle = os.open(path, os.O_RDWR)
        try:
            if _parse(os.read(handle, 65536), self.lease.cell, 0).token == self.lease.token:
                os.utime(handle if os.utime in os.supports_fd else path)
        finally:
            os.close(handle)


def tokens(leases: Sequence[Standing]) -> list[str]:
    """The tokens of attempts; one whose worker died as it began has none."""
    return [one.lease.token for one in leases if one.lease.token]


def open_fresh(path: Path) -> int:
    """A file opened for reading, as the server has it now. Raises FileNotFoundError, OSError.

    A network disk remembers for a while that there was no such file. Opening its folder asks anew.
    """
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        if os.name != "nt":
            os.close(os.open(path.parent, os.O_RDONLY))
        return os.open(path, os.O_RDONLY)


def _read(work: Path, cell: str, attempt: int) -> tuple[Lease, float] | None:
    """A lease and when it was renewed, by the file system's clock."""
    try:
        handle = open_fresh(lease_path(work, cell, attempt))
    except FileNotFoundError:
        return None
    try:  # an open file's time is that of the server, a name's may be a remembered one
        return _parse(os.read(handle, 65536), cell, attempt), os.fstat(handle).st_mtime
    finally:
        os.close(handle)


def _parse(data: bytes, cell: str, attempt: int) -> Lease:
    """A lease; one that is not written yet, or was cut short, is somebody's."""
    try:
        return Lease.model_validate_json(data)
    except ValidationError:
        return Lease(cell=cell, attempt=attempt)
