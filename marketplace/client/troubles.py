"""What ends a command: each trouble says what is wrong and what to do, and has an exit code that scripts can trust."""

from typing import IO, Any

import click

from marketplace.client.wording import plain, say

DENIED = {"grant-revoked", "grant-expired", "grant-suspended", "quota-exhausted"}


class Trouble(click.ClickException):
    """Something that the command cannot go on with; ``exit_code`` is documented in docs/client.md."""

    exit_code = 1

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__("\n".join(filter(None, (message, cure))))

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the trouble as it is, to the errors."""
        click.echo(self.format_message(), file=file, err=file is None)


class Unusable(Trouble):
    """What was typed cannot be meant."""

    exit_code = 2


class NotSignedIn(Trouble):
    """There is no login that is good for this server."""

    exit_code = 3


class Denied(Trouble):
    """The exchange does not let one have it: nothing was bought, or access has ended."""

    exit_code = 4


class Unreachable(Trouble):
    """The server does not answer, or the connection broke too often; the same command may be run again."""

    exit_code = 5


class WrongBytes(Trouble):
    """What came is not what was promised."""

    exit_code = 6


class DiskTrouble(Trouble):
    """The machine's own files cannot be read or written."""

    exit_code = 7


def not_signed_in(origin: str) -> NotSignedIn:
    """Return the trouble of somebody who never signed in at a server."""
    return NotSignedIn(
        say(f"{origin} にサインインしていません。", f"You are not signed in at {origin}."), _sign_in_at(origin)
    )


def login_over(origin: str) -> NotSignedIn:
    """Return the trouble of a login that has run out or was ended."""
    return NotSignedIn(
        say(f"{origin} へのサインインは終了しています。", f"The login at {origin} has run out or was ended."),
        _sign_in_at(origin),
    )


def refused(status: int, problem: dict[str, Any]) -> Trouble:
    """Return an answer of 400 or above as the trouble it is (RFC 9457, RFC 6749 section 5.2)."""
    slug = str(problem.get("type", "")).rpartition("/")[2]
    message, cure = _sentence(status, problem), plain(str(problem.get("cure", "")))
    if status == 401:
        return NotSignedIn(message, cure)
    if status in {403, 404} or slug in DENIED:
        return Denied(message, cure)
    if status == 429 or status >= 500:
        return Unreachable(message, cure)
    return Trouble(message, cure)


def _sentence(status: int, problem: dict[str, Any]) -> str:
    told = [str(problem[name]) for name in ("title", "error", "detail", "error_description") if problem.get(name)]
    faults = [f"{one.get('pointer', '')} {one.get('detail', '')}".strip() for one in problem.get("errors", ())]
    return plain(": ".join(told + faults)) or say(f"サーバーの応答は {status} です。", f"The server answered {status}.")


def _sign_in_at(origin: str) -> str:
    command = f"marketplace login {origin}"
    return say(f"次のコマンドでサインインしてください: {command}", f"Sign in with: {command}")
