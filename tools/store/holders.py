"""Names for the holders of leases, by which a process on the same machine can tell that one has died."""

from __future__ import annotations

import os
import secrets
import socket
from functools import cache
from pathlib import Path


def process_holder() -> str:
    """A holder's name that says which process of which machine it is, and is used once."""
    return f"{_machine()}/{os.getpid()}/{_started(os.getpid())}/{secrets.token_hex(4)}"


def is_dead(holder: str) -> bool:
    """Whether the process that named itself by `process_holder` on this very machine is no more; False when unsure."""
    machine, _, rest = holder.partition("/")
    pid, _, rest = rest.partition("/")
    if machine != _machine() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return _started(int(pid)) != rest.partition("/")[0]  # the number was given to another process since


@cache
def _machine() -> str:
    """Host, boot and process namespace: only there a process number means something."""
    namespace = Path("/proc/self/ns/pid")
    boot = Path("/proc/sys/kernel/random/boot_id")
    parts = [socket.gethostname().replace("/", "-")]
    parts += [boot.read_text(encoding="ascii").strip()[:8]] if boot.exists() else []
    parts += [str(namespace.stat().st_ino)] if namespace.exists() else []
    return "-".join(parts)


def _started(pid: int) -> str:
    """When the process began, in the kernel's ticks since boot; empty where the system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
