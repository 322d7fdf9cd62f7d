"""The checkout as the house tests read it: its files, its functions, its documents."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "marketplace"
DOMAINS = (
    "audit",
    "identity",
    "catalog",
    "privacy",
    "licensing",
    "billing",
    "access",
    "metering",
    "delivery",
    "incidents",
    "demand",
)


def modules(*parts: str) -> list[Path]:
    """Every module below a folder of the package."""
    return sorted(PACKAGE.joinpath(*parts).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(paths: list[Path]) -> Iterator[tuple[str, int]]:
    """Every function of these modules as (where it stands, its lines)."""
    for path in paths:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def tracked() -> list[Path]:
    """Every file that is or is about to be in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def document(name: str) -> str:
    """The text of a document."""
    return (ROOT / name).read_text(encoding="utf-8")


def rows(name: str) -> list[list[str]]:
    """The rows of all tables of a document, cell by cell, without their heads."""
    found, head = [], True
    for line in document(name).splitlines():
        if not line.startswith("|"):
            head = True
        elif head:
            head = False
        elif not re.fullmatch(r"[|:\- ]+", line):
            found.append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found


def named(name: str) -> dict[str, list[str]]:
    """The rows of a document by the code word in their first cell."""
    keyed = {row[0].strip("`"): row for row in rows(name) if re.fullmatch(r"`[^`]+`", row[0])}
    assert keyed, f"{name} has no table of names"
    return keyed
