"""Keep the C library from handing big freed blocks back to the kernel."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
MOST = 2**31 - 1


def keep_freed_blocks() -> bool:
    """Tell glibc to reuse big freed blocks; True if it will, False where there is no glibc.

    Otherwise each large tensor of a training step is mapped and page-faulted anew, which about
    doubles the time of a softmax over a catalogue on a CPU.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, MOST) and mallopt(M_TRIM_THRESHOLD, MOST))
