"""What the reading process gives up before it looks at a foreign file.

Hard everywhere: memory, CPU, file size, open files, no core, no new privileges, death with its parent. Best effort,
as the kernel and the machine allow: a system call filter (x86-64 and AArch64) without sockets, new programs and new
processes, and otherwise an empty network namespace, which needs root or user namespaces.
"""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 1, 38, 22, 2
_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_THREAD = 0x10000000, 0x40000000, 0x00010000
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _JUMP_IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_X32_CALLS = 0x40000000  # the same kernel calls under other numbers

# audit architecture, system calls refused, clone (threads only), clone3 (absent: the C library falls back to clone)
_MACHINES: dict[str, tuple[int, tuple[int, ...], int, int]] = {
    "x86_64": (0xC000003E, (41, 42, 49, 50, 53, 57, 58, 59, 62, 101, 165, 200, 234, 272, 308, 321, 322, 425), 56, 435),
    "aarch64": (0xC00000B7, (198, 199, 200, 201, 203, 221, 117, 129, 130, 131, 40, 97, 268, 280, 281, 425), 220, 435),
}


def confine(memory_bytes: int, cpu_seconds: int) -> None:  # pragma: no cover - for good, so only in other processes
    """Limit the calling process for the rest of its life; raises OSError where a hard limit cannot be set."""
    _limit(resource.RLIMIT_AS, memory_bytes, memory_bytes)
    _limit(resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 2)
    _limit(resource.RLIMIT_CORE, 0, 0)
    _limit(resource.RLIMIT_FSIZE, 0, 0)
    _limit(resource.RLIMIT_NOFILE, 64, 64)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")
    if not _filter_system_calls(libc):
        _leave_the_network(libc)


def _limit(kind: int, soft: int, hard: int) -> None:  # pragma: no cover - as confine
    _, ceiling = resource.getrlimit(kind)
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(kind, (soft, hard))


def _leave_the_network(libc: ctypes.CDLL) -> None:  # pragma: no cover - as confine
    if libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def _filter_system_calls(libc: ctypes.CDLL) -> bool:  # pragma: no cover - as confine
    machine = _MACHINES.get(platform.machine())
    if machine is None or os.name != "posix":
        return False
    code = _program(*machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: the number of instructions and, on 64-bit machines, padding before the address
    program = ctypes.create_string_buffer(struct.pack("=H6xQ", len(code) // 8, ctypes.addressof(buffer)))
    with contextlib.suppress(OSError):
        return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0)
    return False


def _program(architecture: int, refused: tuple[int, ...], clone: int, clone3: int) -> bytes:
    """Return a BPF filter: refuse foreign architectures, the listed calls, and clone without CLONE_THREAD."""
    lines = [
        _line(_LOAD, 0, 0, 4),
        _line(_JUMP_IF_EQUAL, 1, 0, architecture),
        _line(_RETURN, 0, 0, _ERRNO | _EPERM),
        _line(_LOAD, 0, 0, 0),
        _line(_JUMP_IF_AT_LEAST, 0, 1, _X32_CALLS),
        _line(_RETURN, 0, 0, _ERRNO | _EPERM),
    ]
    for number in refused:
        lines += [_line(_JUMP_IF_EQUAL, 0, 1, number), _line(_RETURN, 0, 0, _ERRNO | _EPERM)]
    lines += [_line(_JUMP_IF_EQUAL, 0, 1, clone3), _line(_RETURN, 0, 0, _ERRNO | _ENOSYS)]
    lines += [
        _line(_JUMP_IF_EQUAL, 0, 3, clone),
        _line(_LOAD, 0, 0, 16),
        _line(_JUMP_IF_ANY_BIT, 1, 0, _CLONE_THREAD),
        _line(_RETURN, 0, 0, _ERRNO | _EPERM),
        _line(_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(lines)


def _line(code: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
