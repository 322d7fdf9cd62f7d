"""The user's own files: which of a folder are listed, under which names, and what stands in the way."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from typing import NoReturn

from marketplace.demo.party import DemoFailed

CHUNK = 2**18


def files_of(data: Path) -> list[Path]:
    """Return the file, or a folder's files in order of their paths; whatever is hidden, or in a hidden folder, is not.

    Raises DemoFailed where one of them cannot be read: a dataset that silently lacks some would not be the user's.
    """
    with _readable(data):
        found = sorted(_visible(data)) if data.is_dir() else [data]
    for path in found:
        with _readable(path), path.open("rb") as file:
            file.read(1)
    return found


def size_bytes(path: Path) -> int:
    """Return a file's size; raises DemoFailed."""
    with _readable(path):
        return path.stat().st_size


def pieces(path: Path) -> Iterator[bytes]:
    """Yield a file's bytes in pieces; raises DemoFailed."""
    with _readable(path), path.open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece


def names_of(paths: list[Path]) -> dict[Path, str]:
    """Return the name under which each file is listed: its own, or, where several look alike, that of its path.

    ``a/x.csv`` and ``b/x.csv`` become ``a_x.csv`` and ``b_x.csv``; a number keeps apart what is still alike.
    """
    alike = Counter(_key(shown_name(path)) for path in paths)
    names = {path: shown_name(path) for path in paths if alike[_key(shown_name(path))] == 1}
    if len(names) == len(paths):
        return names
    taken, root = set(map(_key, names.values())), os.path.commonpath([path.parent.absolute() for path in paths])
    for path in paths:
        if path not in names:
            names[path] = _free("_".join(map(_text, path.absolute().relative_to(root).parts)), taken)
            taken.add(_key(names[path]))
    return names


def shown_name(path: Path) -> str:
    """Return a file's name as text; one that is not UTF-8 on disk is read as CP932, as older systems wrote it."""
    return _text(path.name)


def _visible(folder: Path) -> Iterator[Path]:
    for home, folders, names in os.walk(folder, onerror=_give_up):
        folders[:] = filter(_is_shown, folders)
        yield from (path for name in filter(_is_shown, names) if (path := Path(home, name)).is_file())


def _give_up(error: OSError) -> NoReturn:
    raise error


def _is_shown(name: str) -> bool:
    return not name.startswith(".")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = _text(os.fspath(error.filename or path))
        cure = "give yourself the right to read it, or take it out of the folder"
        raise DemoFailed(f"{place} cannot be read ({error.strerror}): {cure}") from error


def _text(name: str) -> str:
    raw = os.fsencode(name)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp932", errors="replace")


def _key(name: str) -> str:
    # The exchange takes no two names into a release that look alike: composed, narrow, without case.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _free(name: str, taken: set[str]) -> str:
    numbered = (f"{Path(name).stem}_{number}{Path(name).suffix}" for number in count(2))
    return next(one for one in chain([name], numbered) if _key(one) not in taken)
