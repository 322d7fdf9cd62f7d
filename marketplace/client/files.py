"""Files on this machine: safe names, and parts that survive whatever stops a download."""

import errno
import fcntl
import hashlib
import os
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from marketplace.client.keeping import troubled
from marketplace.client.troubles import DiskTrouble, Trouble
from marketplace.client.wording import say, size

NAME_BYTES_MAX = 200
"""What most file systems take is 255; a part's name is longer than that of its file."""

CHUNK_BYTES = 2**20
FULL = {errno.ENOSPC, errno.EDQUOT}
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_DIVIDING = frozenset('/\\:*?"<>|')


def safe_name(name: str) -> str:
    """Return a server's name for a file as a name in one's own folder: never a path, never a hidden file.

    Letters of all languages stay; what divides paths anywhere, is invisible or turns the direction of reading is
    replaced, also in its wide and narrow forms.
    """
    kept = "".join("_" if _is_unsafe(one) else one for one in name).strip().rstrip(".")
    kept = "_" + kept[1:] if kept.startswith((".", "~", "-")) else kept
    return _shortened(kept) if kept.strip("_. ") else "file"


def _is_unsafe(character: str) -> bool:
    if unicodedata.category(character) in _INVISIBLE:
        return True
    return bool(_DIVIDING & set(unicodedata.normalize("NFKC", character)))


def _shortened(name: str) -> str:
    if len(name.encode()) <= NAME_BYTES_MAX:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix) > 20:
        stem, dot, suffix = name, "", ""
    room = NAME_BYTES_MAX - len((dot + suffix).encode())
    return stem.encode()[:room].decode(errors="ignore") + dot + suffix


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with troubled(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Part:
    """A file that is not whole yet: what has come of it, its length and its hash; one process writes it at a time."""

    def __init__(self, target: Path, sha256: str) -> None:
        # Named by what it becomes as well: the part of another release is never continued.
        self.path = target.with_name(f"{target.name}.{sha256[:12]}.part")
        self.target, self.sha256 = target, sha256
        self.at = 0
        with written(self.path):
            self._file = self._opened()
        try:
            self._read()
        except BaseException:
            self.close()
            raise

    def write(self, piece: bytes) -> None:
        """Add what came next; it is the system's at once, so that a killed command loses none of it."""
        with written(self.path):
            self._write_all(piece)
        self._digest.update(piece)
        self.at += len(piece)

    def restart(self) -> None:
        """Forget what has come."""
        with written(self.path):
            os.ftruncate(self._file, 0)
            os.lseek(self._file, 0, os.SEEK_SET)
        self._digest, self.at = hashlib.sha256(), 0

    def is_right(self) -> bool:
        """Tell whether the bytes are those that were promised."""
        return self._digest.hexdigest() == self.sha256

    def finish(self) -> None:
        """Give the file its name, whole and durable."""
        with written(self.path):
            os.fsync(self._file)
            self.path.replace(self.target)

    def discard(self) -> None:
        """Delete what has come."""
        with written(self.path):
            self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let others go on with it."""
        os.close(self._file)

    def _opened(self) -> int:
        while True:
            # A link at this place would lead the bytes elsewhere.
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(file, self.path):
                    return file
            except BlockingIOError as error:
                os.close(file)
                raise _in_use(self.target) from error
            os.close(file)  # somebody else finished it meanwhile

    def _read(self) -> None:
        self._digest = hashlib.sha256()
        with troubled(self.path):
            while piece := os.read(self._file, CHUNK_BYTES):
                self._digest.update(piece)
                self.at += len(piece)

    def _write_all(self, piece: bytes) -> None:
        left = memoryview(piece)
        while left:
            left = left[os.write(self._file, left) :]


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into DiskTrouble; a full one is named as such."""
    try:
        with troubled(path):
            yield
    except DiskTrouble as trouble:
        cause = trouble.__cause__
        if isinstance(cause, OSError) and cause.errno in FULL:
            raise disk_full(path) from cause
        raise


def disk_full(path: Path, missing_bytes: int = 0) -> DiskTrouble:
    """Return the trouble of a full disk; what has come stays for the next time."""
    missing = (
        say(f"（あと {size(missing_bytes)}）", f" ({size(missing_bytes)} more are needed)") if missing_bytes else ""
    )
    return DiskTrouble(
        say(f"{path.parent} の空き容量が足りません{missing}。", f"There is no room left in {path.parent}{missing}."),
        say(
            "空きを作って同じコマンドを実行すると、続きから取得します。",
            "Make room and run the same command again: it goes on where it stopped.",
        ),
    )


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _in_use(target: Path) -> Trouble:
    return Trouble(
        say(f"{target} は別のコマンドが取得中です。", f"Another command is fetching {target}."),
        say("その終わりを待ってください。", "Wait until it has ended."),
    )
