"""The resident memory of this process, and its peak."""

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
# Bytes per unit of ru_maxrss.
_UNIT = 1 if sys.platform == "darwin" else 1024


def reset_peak() -> None:
    """Forget the peak so far, where the system can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def held_now() -> int:
    """The resident memory in bytes; where the system does not tell, its peak."""
    return _read("VmRSS") if _STATUS.exists() else peak_since()


def peak_since() -> int:
    """The peak in bytes since :func:`reset_peak`, or since the start of the process."""
    if _STATUS.exists():
        return _read("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def _read(name: str) -> int:
    lines = _STATUS.read_text(encoding="ascii").splitlines()
    return 1024 * int(dict(line.split(":", 1) for line in lines)[name].split()[0])
