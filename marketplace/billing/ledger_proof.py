"""Proving exported books: our own adding up, then bean-check and hledger where they are installed."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

# Foreign programs, never imported: what they share with us is the file alone.
COMMANDS = {
    "beancount": ("bean-check", ("{file}",)),
    "hledger": ("hledger", ("-f", "{file}", "check", "--strict", "balancednoautoconversion")),
}
_SUFFIX = {"beancount": ".beancount", "hledger": ".journal"}
_POSTING = re.compile(r"\s+(?P<account>[A-Z]\S*)  (?P<amount>-?[0-9.]+) (?P<currency>[A-Z]{3})\n")
_CLOSINGS = {
    "beancount": re.compile(r"\S+ balance (?P<account>\S+)  (?P<amount>-?[0-9.]+) ~ 0 (?P<currency>[A-Z]{3})\n"),
    "hledger": re.compile(r"\s+(?P<account>\S+)  0 [A-Z]{3} == (?P<amount>-?[0-9.]+) (?P<currency>[A-Z]{3})\n"),
}
_TOLD_MAX = 500
_SECONDS_MAX = 600


def program_of(form: str) -> str | None:
    """Return where the program that reads a form is installed, beside this Python or on the PATH; None if nowhere."""
    name, _arguments = COMMANDS[form]
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)


def prove(form: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with exported books, by our own sums and by the foreign program if there is one."""
    with tempfile.TemporaryDirectory(prefix="musubi-books-") as folder:
        file = Path(folder, "books").with_suffix(_SUFFIX[form])
        with file.open("w", encoding="utf-8") as books:
            books.writelines(lines)
        yield from _add_up(form, file)
        yield from ask_program(form, file)


def ask_program(form: str, file: Path) -> Iterator[str]:
    """Yield what the foreign program says against a file; nothing where it agrees, or is not installed."""
    program = program_of(form)
    if program is None:
        return
    command = [program, *(argument.format(file=file) for argument in COMMANDS[form][1])]
    # Names are Japanese, and hledger reads by the locale.
    environment = {"LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, check=False, timeout=_SECONDS_MAX, env=environment)
    if done.returncode:
        told = (done.stderr or done.stdout).decode(errors="replace").strip()
        yield f"{COMMANDS[form][0]}: {told[:_TOLD_MAX]}"


def _add_up(form: str, file: Path) -> Iterator[str]:
    totals: dict[tuple[str, str], Decimal] = {}
    with file.open(encoding="utf-8") as books:
        for line in books:
            if posting := _POSTING.fullmatch(line):
                for account in _named(form, posting["account"]):
                    key = account, posting["currency"]
                    totals[key] = totals.get(key, Decimal()) + Decimal(posting["amount"])
            elif closing := _CLOSINGS[form].fullmatch(line):
                total = totals.get((closing["account"], closing["currency"]), Decimal())
                if total != Decimal(closing["amount"]):
                    yield f"{closing['account']}: the entries make {total}, the books say {closing['amount']}"


def _named(form: str, account: str) -> Iterator[str]:
    """Yield an account and, for beancount, which counts sub-accounts in, every account above it."""
    yield account
    while form == "beancount" and ":" in account:
        account = account.rpartition(":")[0]
        yield account
