"""The wall around a plugin's process: which files it may read and write, and nothing else.

The process puts it up by itself, by Landlock and a filter on system calls, while it has one thread
and before anything but Python's own library is imported. What is not named here is out of reach:
sources, prepared logs, results, the user's home, other processes, and the network.

It may read Python and the packages of its search path, the system's programs, libraries,
certificates and fonts, what the kernel tells of the machine, and what the harness hands to it. It
may use GPUs. It writes to folders of its own and to those that the harness names.

Python's locks and queues, and torch's loaders, need shared memory (``/dev/shm``). It is there, but
cannot be listed; what is left in it is removed, see ``shared_memory``.
"""

from __future__ import annotations

import glob
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from mmbench.grid import landlock, loopback, search_path, seccomp
from mmbench.grid.landlock import READ, USE_DEVICE, WRITE, Right

# folders in the cell's folder
ANSWERS, SCRATCH, TEMPORARY, HOME = "answers", "scratch", "tmp", "home"
OWN = (ANSWERS, SCRATCH, TEMPORARY, HOME)  # to write to
PACKAGES = "packages"
NO_WALL = "process"  # what a process without one is called
NO_TCP = ", no TCP wall"
SHARED_MEMORY = "/dev/shm"

READABLE = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store"),
    *("/opt/rocm*", "/opt/intel*", "/opt/nvidia*", "/cvmfs", "/run/opengl-driver"),
    *("/etc/ld.so.*", "/etc/ssl", "/etc/pki", "/etc/ca-certificates*", "/etc/crypto-policies"),
    *("/etc/fonts", "/var/cache/fontconfig", "/etc/locale*", "/etc/localtime", "/etc/timezone"),
    *("/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/os-release", "/etc/mime.types"),
    *("/etc/hosts", "/etc/host.conf", "/etc/hostname", "/etc/gai.conf", "/etc/resolv.conf"),
    *("/etc/services", "/etc/protocols", "/etc/OpenCL", "/etc/vulkan", "/etc/nvidia*", "/sys"),
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/loadavg", "/proc/uptime"),
    *("/proc/vmstat", "/proc/version", "/proc/filesystems", "/proc/devices", "/proc/modules"),
    *("/proc/cgroups", "/proc/sys", "/proc/driver"),
)
DEVICES = (
    *("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"),
    *("/dev/nvidia*", "/dev/dri", "/dev/kfd", "/dev/dxg"),
)
VARIABLES = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("CUDA_HOME", "CUDA_PATH", "ROCM_HOME", "ROCM_PATH", "LD_LIBRARY_PATH"),
    "PYTHONPYCACHEPREFIX",
)
COMPILERS = ("cc", "gcc", "c++", "g++", "clang", "clang++", "nvcc", "ptxas", "ninja")
OPTIONAL = "/opt"  # where systems keep what came without their package manager
OF_PYTHON = ("bin", "lib", "lib64", "include", "share", "ssl", "etc")  # where all is in one folder
UNLISTED = Right.READ_FILE | Right.WRITE_FILE | Right.TRUNCATE | Right.MAKE_FILE | Right.REMOVE_FILE


@dataclass(frozen=True, slots=True)
class Gates:
    """What is open to a process beyond what is open to all.

    Attributes:
        reads: files and folders that it may read.
        writes: folders that it may write to.
        network: whether it reaches other machines.
        loopback: whether its processes reach each other by TCP; in a network of their own, where
            the system lets them have one.
        walled: False leaves out the wall, for debuggers.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    network: bool = False
    loopback: bool = False
    walled: bool = True


def put_up(folder: str, gates: Gates) -> str:
    """Put up the wall around this process and all that it starts.

    Args:
        folder: the cell's, with the folders ``OWN`` and ``PACKAGES`` in it.
        gates: what stays open.

    Returns the wall's name: ``landlock:<abi>``, with ``, no TCP wall`` where loopback is open and
    with it the machine's network; or ``process`` where none could be put up; a line on stderr then
    says why.
    """
    version = min(landlock.abi(), landlock.KNOWN)
    folder = os.path.realpath(folder)
    try:
        if not gates.walled:
            raise OSError("it was asked for without")
        if not version:
            raise OSError("this system has no Landlock")
        if len(os.listdir("/proc/self/task")) > 1:
            raise OSError(
                "a .pth file or sitecustomize has started threads, which would be outside"
            )
        apart = gates.loopback and loopback.enter()
        network = gates.network or gates.loopback
        landlock.restrict(list(_kept(folder, gates)), network=network)
        seccomp.install(network=network)
    except OSError as error:
        print(f"mmbench: this process has no wall: {error}", file=sys.stderr)
        return NO_WALL
    return f"landlock:{version}" + (NO_TCP if gates.loopback and not apart else "")


def _kept(folder: str, gates: Gates) -> Iterator[tuple[str, Right]]:
    """All paths that stay open, and what for."""
    common = [path for pattern in READABLE for path in _matching(pattern)]
    common += [*_python(folder), *_compilers()]
    common += [path for name in VARIABLES for path in os.environ.get(name, "").split(os.pathsep)]
    common = [os.path.realpath(path) for path in common if path]
    common = [path for path in common if not _is_inside(folder, path)]
    packages = search_path.narrow(
        os.path.join(folder, PACKAGES),
        lambda path: any(_is_inside(path, one) for one in common),
    )
    for path in (folder, *common, *packages, *_weights(gates.network), *gates.reads):
        yield path, READ
    # threads get their names there; CUDA starts none whose name it cannot open as if to write anew
    yield "/proc/self", READ | Right.WRITE_FILE | Right.TRUNCATE
    for pattern in DEVICES:
        for path in _matching(pattern):
            yield path, USE_DEVICE
    yield SHARED_MEMORY, UNLISTED
    for path in (*(os.path.join(folder, own) for own in OWN), *gates.writes):
        yield path, WRITE


def _weights(network: bool) -> Iterator[str]:
    """What Hugging Face's tools have downloaded, but for data sets, and the token to do so."""
    hub = os.environ.get("HF_HUB_CACHE")
    yield from glob.glob(f"{glob.escape(hub)}/models--*") if hub else ()
    if network:
        yield os.environ.get("HF_TOKEN_PATH", "")


def _python(folder: str) -> Iterator[str]:
    """Where Python is installed; of a folder that holds the cell's too, only what is Python's."""
    for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}:
        if _is_inside(folder, os.path.realpath(prefix)):
            yield from (os.path.join(prefix, part) for part in OF_PYTHON)
        else:
            yield prefix
    yield os.path.dirname(os.__file__)


def _compilers() -> Iterator[str]:
    """Compilers that have a folder of their own below ``/opt``; torch and triton start them."""
    for name in COMPILERS:
        real = os.path.realpath(shutil.which(name) or "")
        home, _, rest = real.removeprefix(f"{OPTIONAL}/").partition("/")
        if real.startswith(f"{OPTIONAL}/") and rest:
            yield os.path.join(OPTIONAL, home)


def _matching(pattern: str) -> list[str]:
    return glob.glob(pattern) if "*" in pattern else [pattern]


def _is_inside(path: str, folder: str) -> bool:
    """Whether a real path is that of a folder or of something in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
