"""Holding a cell against all other workers on a folder of results, on this machine and on others.

A lease (``mmbench.results.lease``) tells every machine. A lock on a file, which the system lets go
where its process dies, tells this machine at once that a worker is dead, so that nobody waits for
its lease to run out.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mmbench.files import remove_tree
from mmbench.problems import Stop
from mmbench.results.cell import Cell
from mmbench.results.lease import (
    LASTS,
    PAUSES,
    Lease,
    Pulse,
    Standing,
    find_leases,
    forget,
    give_back,
    take_lease,
    tokens,
)

WORK = ".work"
UNLOCKABLE = {errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK, errno.EINVAL}


class Preempted(Stop):
    """A scheduler wants the machine back: the cell is to be run again, elsewhere or later."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A cell that is ours.

    Attributes:
        scratch: a fresh folder.
        lease: that others see.
        earlier: the tokens of attempts that may still be at work, though they are taken for lost.
        left: the folders of earlier attempts that are over for certain, the last one first.
        lost: why the cell is not to be run any more, where too many attempts were lost.
        pulse: keeps the lease alive.
    """

    scratch: Path
    lease: Lease
    earlier: tuple[str, ...]
    lost: str
    pulse: Pulse
    left: tuple[Path, ...] = ()


@contextlib.contextmanager
def claim(
    root: Path,
    cell: Cell,
    stop: threading.Event,
    on_wait: Callable[[], None] = lambda: None,
    *,
    lasts: float = LASTS,
    limited: bool = False,
    label: str = "",
) -> Iterator[Claim]:
    """Hold a cell against other workers on the same folder.

    Waits while another has the cell (until ``stop`` is set: InterruptedError), and calls
    ``on_wait`` once where it comes to that. What a killed worker left is removed on the way.

    Args:
        root: the folder of results.
        cell: which.
        stop: when set, waiting ends.
        on_wait: told once.
        lasts: seconds without a sign of life after which others take us for lost.
        limited: attempts are counted: a pause comes between them, longer each time, and after
            ``len(PAUSES)`` more the claim says that the cell is ``lost``.
        label: what the cell is called, for people.

    ``Preempted`` inside gives the cell back, and counts as an attempt; any other end does not. Its
    scratch folder stays for the next attempt, which removes it; that of any other end is removed.
    """
    work = root / WORK
    work.mkdir(parents=True, exist_ok=True)
    lock_path = work / f"{cell.id}.lock"
    told = False
    while (found := _try(work, lock_path, cell.id, lasts, limited, label)) is None:
        if not told:
            on_wait()
            told = True
        if stop.wait(min(0.5, lasts / 10)):
            raise InterruptedError
    handle, lease, before, sure = found
    scratch = work / f"{cell.id}.{lease.token}"
    pulse = Pulse(work, lease)
    lost = _too_often(before) if limited else ""
    left = [work / f"{cell.id}.{one.lease.token}" for one in reversed(before) if one.over(sure)]
    stays = False
    try:
        scratch.mkdir()
        try:
            with pulse.beating():
                yield Claim(scratch, lease, tuple(tokens(before)), lost, pulse, tuple(left))
        except Preempted:
            stays = True
            raise
        finally:
            if not stays:
                remove_tree(scratch)
        for token in tokens(before):
            _clear(work, f"{cell.id}.{token}")
    except Preempted:
        give_back(work, lease, "was asked to leave")
        raise
    except BaseException:
        forget(work, lease)
        raise
    else:
        forget(work, lease)
    finally:
        lock_path.unlink(missing_ok=True)
        os.close(handle)


def sweep(root: Path) -> None:
    """Remove what killed grids left: scratch folders that nobody holds, temporary files."""
    work = root / WORK
    for cell in {path.name.partition(".")[0] for path in work.glob("[!.]*")}:
        lock_path = work / f"{cell}.lock"
        handle, sure = _take_lock(lock_path)
        if handle is None:
            continue
        if not (held := find_leases(work, cell)) or _left(held[-1], sure, limited=False) <= 0:
            _clear(work, f"{cell}.")
        lock_path.unlink(missing_ok=True)
        os.close(handle)
    for path in root.glob("*/*/*/.*"):
        owner = path.name.split(".")[-2] if path.name.count(".") > 2 else ""
        if owner.isdigit() and not _alive(int(owner)):
            path.unlink(missing_ok=True)


def seconds_left(root: Path, cell: Cell) -> float:
    """Seconds until another attempt at a cell may begin; none or fewer where it may now."""
    work = root / WORK
    held = find_leases(work, cell.id) if work.is_dir() else []
    if not held:
        return 0.0
    handle, sure = _take_lock(work / f"{cell.id}.lock")
    if handle is not None:
        (work / f"{cell.id}.lock").unlink(missing_ok=True)
        os.close(handle)
    return _left(held[-1], handle is not None and sure, limited=True)


def forgive(root: Path, cell: Cell) -> None:
    """Let lost attempts at a cell count no longer: somebody asks for it anew."""
    work = root / WORK
    held = find_leases(work, cell.id) if work.is_dir() else []
    if held and _left(held[-1], False, limited=False) <= 0:
        forget(work, held[-1].lease)


def _try(
    work: Path, lock_path: Path, cell: str, lasts: float, limited: bool, label: str
) -> tuple[int, Lease, list[Standing], bool] | None:
    """The open lock file, our lease, those before it, and whether this machine's locks are sure.

    None where somebody has the cell.
    """
    handle, sure = _take_lock(lock_path)
    if handle is None:
        return None
    lease = None
    try:
        before = find_leases(work, cell)
        if not before or _left(before[-1], sure, limited) <= 0:
            lease = take_lease(work, cell, attempt=len(before) + 1, lasts=lasts, label=label)
    finally:
        if lease is None:
            lock_path.unlink(missing_ok=True)
            os.close(handle)
    return None if lease is None else (handle, lease, before, sure)


def _left(last: Standing, sure: bool, limited: bool) -> float:
    """Seconds until another may have the cell; who has the lock knows of this machine's dead."""
    return last.left(dead=last.dead(sure), limited=limited)


def _too_often(before: list[Standing]) -> str:
    """Why a cell is not run again; an empty text where it may be."""
    if len(before) <= len(PAUSES):
        return ""
    ends = "; ".join(one.said() for one in before)
    return f"its worker was lost {len(before)} times: {ends}"


def _clear(work: Path, start: str) -> None:
    """Remove what attempts left, by the start of its name; locks stay."""
    for path in work.glob(f"{start}*"):
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        elif path.suffix != ".lock":
            path.unlink(missing_ok=True)


def _take_lock(path: Path) -> tuple[int | None, bool]:
    """An open lock file, locked until it is closed or its holder dies; None if somebody has it.

    Then whether that is sure: some disks, and Windows, have no such locks.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        import fcntl
    except ImportError:
        return handle, False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_ino == os.stat(path).st_ino:
            return handle, True
    except (BlockingIOError, FileNotFoundError):
        pass  # held, or released and removed a moment ago: the caller tries again
    except OSError as error:
        if error.errno in UNLOCKABLE:
            return handle, False
        os.close(handle)
        raise
    os.close(handle)
    return None, False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
