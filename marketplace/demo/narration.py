"""What the demo says: one line per step, with its evidence, and a table at the end."""

import sys
import unicodedata
from collections.abc import Iterable, Iterator

PROGRESS_FROM_BYTES = 2**24
BACK = "\r\x1b[K"  # to the beginning of the line, which is cleared (ECMA-48)


class Narrator:
    """Prints numbered steps to standard output."""

    def __init__(self) -> None:
        self._step = 0

    def say(self, actor: str, deed: str, **evidence: object) -> None:
        """Print one step: who did what, and the ids, hashes, bytes and yen that show it."""
        self._step += 1
        shown = "  ".join(f"{name}={_shown(value)}" for name, value in evidence.items())
        print(f"{self._step:>3}  {actor:<9} {deed}  {shown}".rstrip(), flush=True)

    def progress(self, what: str, pieces: Iterable[bytes], total: int) -> Iterator[bytes]:
        """Pass the pieces on and show how far a big file has come: in place on a terminal, else by the quarter."""
        watched, done, shown = sys.stdout.isatty(), 0, 0
        for piece in pieces:
            yield piece
            done += len(piece)
            percent = min(done, total) * 100 // max(total, 1)
            if total > PROGRESS_FROM_BYTES and percent - shown >= (1 if watched else 25):
                shown = percent if watched else percent // 25 * 25
                print(f"{BACK if watched else ''}     {what}: {shown} %", end="" if watched else "\n", flush=True)
        if watched and shown:
            print(BACK, end="", flush=True)

    def table(self, rows: list[tuple[str, str]]) -> None:
        """Print the closing table."""
        width = max(_columns(name) for name, _ in rows)
        print()
        for name, value in rows:
            print(f"  {name}{' ' * (width - _columns(name))}  {value}")


def _shown(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 and text.isalnum() else text


def _columns(text: str) -> int:
    # Full-width characters take two columns of a terminal.
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
