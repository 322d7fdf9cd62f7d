"""What the figures were measured on, and the tools to measure with."""

import os
import platform
import shutil
import statistics
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

HERE = Path(__file__).parent
WORKSHOP = HERE.parent / "var" / "bench"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Skipped(Exception):
    """A row that cannot be measured here; its text is the reason."""


def header() -> str:
    """Describe the machine in one line."""
    cores = sorted(os.sched_getaffinity(0))
    load = ", ".join(f"{figure:.2f}" for figure in os.getloadavg())
    return (
        f"{_processor()}, {len(cores)} cores, Linux {platform.release()}, Python {platform.python_version()}, "
        f"system congestion control {congestion_control()}, load {load}"
    )


def congestion_control() -> str:
    """Return the congestion control of sockets that choose none."""
    return Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()


def compiled(name: str) -> Path:
    """Compile ``benchmarks/NAME.c`` unless it is done, and return the program; raises Skipped without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise Skipped("no C compiler (cc) on this machine")
    source, program = HERE / f"{name}.c", WORKSHOP / name
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        WORKSHOP.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler, "-O2", "-Wall", "-o", program, source], check=True)
    return program


def file_of(size_bytes: int) -> Path:
    """Return a file of that size, made of a repeated random MiB."""
    WORKSHOP.mkdir(parents=True, exist_ok=True)
    file = WORKSHOP / f"{size_bytes}.bin"
    if not file.exists() or file.stat().st_size != size_bytes:
        piece = os.urandom(2**20)
        with file.open("wb") as out:
            for start in range(0, size_bytes, len(piece)):
                out.write(piece[: size_bytes - start])
    return file


def warm(file: Path) -> None:
    """Read a file once, so that no figure measures the disk."""
    with file.open("rb") as source:
        while source.read(2**24):
            pass


def server_core() -> int:
    """Return the core for servers: the first one of ours."""
    return min(os.sched_getaffinity(0))


def client_core() -> int:
    """Return the core for clients: the last one of ours, the same where there is but one."""
    return max(os.sched_getaffinity(0))


def pinned_to(core: int) -> Callable[[], None]:
    """Return what a child process calls to stay on one core."""
    return lambda: os.sched_setaffinity(0, {core})


def family(process_id: int) -> list[int]:
    """Return a process and all its descendants."""
    members = [process_id]
    for member in members:
        for task in Path(f"/proc/{member}/task").glob("*/children"):
            members += [int(child) for child in task.read_text().split()]
    return members


def cpu_seconds(process_id: int) -> float:
    """Return the processor time a process and its descendants have used."""
    return sum(_ticks(member) for member in family(process_id)) / TICKS_PER_SECOND


def resident_bytes(process_id: int) -> int:
    """Return the resident memory of a process and its descendants, shared pages divided among them (PSS)."""
    return sum(_proportional_kibibytes(member) for member in family(process_id)) * 1024


def median(figures: Iterable[float]) -> str:
    """Write median, least and greatest."""
    ordered = sorted(figures)
    return f"{statistics.median(ordered):.3g} [{ordered[0]:.3g}-{ordered[-1]:.3g}]"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _ticks(process_id: int) -> int:
    fields = Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def _proportional_kibibytes(process_id: int) -> int:
    for line in Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0
