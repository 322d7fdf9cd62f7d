"""What several commands share: their options, and how they print."""

import io
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from marketplace.client import keeping
from marketplace.client.exchange import Exchange
from marketplace.client.servers import Named
from marketplace.client.troubles import Unusable
from marketplace.client.wording import say

Command = Callable[..., Any]


def server_option(command: Command) -> Command:
    """Let a command name its server."""
    told = "address of the exchange; the one of MUSUBI_SERVER, or signed in at last, when absent"
    return click.option("--server", metavar="SERVER", help=told)(command)


def json_option(command: Command) -> Command:
    """Let a command print JSON for scripts."""
    return click.option("--json", "as_json", is_flag=True, help="print JSON for scripts")(command)


def exchange_of(server: str | None, named: Named | None = None) -> Exchange:
    """Return the exchange that a command means; raises Unusable where two are named."""
    if named is not None and named.origin is not None:
        if server is not None and keeping.server_of(server) != named.origin:
            raise Unusable(say("二つの異なるサーバーが示されています。", "Two different servers are named."))
        return Exchange(named.origin)
    return Exchange(keeping.server_of(server))


def is_interactive() -> bool:
    """Tell whether somebody sits here who can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def is_watched() -> bool:
    """Tell whether somebody sees what goes to the errors."""
    return sys.stderr.isatty()


def be_printable() -> None:
    """Let a terminal that knows no Japanese show question marks; it is no reason to end."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def print_json(document: Any) -> None:
    """Print one document on one line."""
    click.echo(json.dumps(document, ensure_ascii=False))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of texts below their heads."""
    widths = [max(_width(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        click.echo("  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip())


def note(message: str) -> None:
    """Tell the person something that is not the result."""
    click.echo(message, err=True)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes: signs of Japanese take two (UAX #11)."""
    import unicodedata

    return sum(2 if unicodedata.east_asian_width(one) in {"W", "F"} else 1 for one in text)
