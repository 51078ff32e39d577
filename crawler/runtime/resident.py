"""Resident memory of this process, in bytes.

Runs on: anywhere.
"""

import resource
import sys
from pathlib import Path


def peak() -> int:
    """Return the most memory that this process has had resident."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * 1024 if sys.platform == "linux" else most  # macOS counts bytes


def now() -> int:
    """Return the resident memory; where the system does not tell, the peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:  # macOS
        return peak()
    return pages * resource.getpagesize()
